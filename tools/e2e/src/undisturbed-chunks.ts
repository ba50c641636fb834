import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Candidate, StreamChunksResponse } from '@lunastream/contracts';
import { listCandidates, startChunkCache, streamChunksOf, type ChunkShape } from './chunk-cache.ts';
import { makeSmallDataset } from './small-dataset.ts';

/** A small data set, and the right answers for it: those of a chunk cache that nothing happens to. */
export interface UndisturbedChunks {
  /** Holds the data set and what `folderOf` makes. */
  readonly folder: string;
  readonly data: string;
  readonly candidates: Candidate[];
  /** Chunks of the shape around the candidates, in their order. */
  readonly right: StreamChunksResponse[];
  /** Makes a folder for the chunks of another cache. */
  readonly folderOf: (name: string) => Promise<string>;
  readonly remove: () => Promise<void>;
}

export async function undisturbedChunks(shape: ChunkShape): Promise<UndisturbedChunks> {
  const folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-chunks-'));
  const folderOf = async (name: string) => {
    await mkdir(join(folder, name));
    return join(folder, name);
  };
  const data = await makeSmallDataset(join(folder, 'data'));
  const cache = await startChunkCache(await folderOf('undisturbed'), data);
  const candidates = await listCandidates(cache.address);
  const right = await streamChunksOf(cache.address, candidates, shape);
  await cache.stop();
  return { folder, data, candidates, right, folderOf, remove: () => rm(folder, { recursive: true }) };
}
