import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BorderRule,
  ChunkErrorCode,
  ChunkServiceClient,
  DatasetServiceClient,
  type Candidate,
  type GetChunkStatsResponse,
  type StreamChunksRequest,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import { Metadata } from '@grpc/grpc-js';
import { callUnary, createClient, readStream, type ServingMessage } from '@lunastream/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService } from '../src/lunastream.ts';
import { makeSmallDataset } from '../src/small-dataset.ts';

const SHAPE = { depth: 12, height: 20, width: 16 };

let folder: string;
let data: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-chunks-'));
  data = await makeSmallDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true }));

async function startCache(dataFolder: string, storeFolder: string) {
  const service = startService('chunk-cache', folder, {
    CHUNK_CACHE_LISTEN: '127.0.0.1:0',
    CHUNK_CACHE_DATASETS: `default=${dataFolder}`,
    CHUNK_CACHE_STORE_FOLDER: storeFolder,
  });
  const { address } = await service.message<ServingMessage>();
  const chunks = createClient(ChunkServiceClient, address);
  const datasets = createClient(DatasetServiceClient, address);
  return {
    async candidates(): Promise<Candidate[]> {
      const all: Candidate[] = [];
      for await (const page of readStream(datasets.listCandidates({ dataset: 'default' }))) {
        all.push(...page.candidates);
      }
      return all;
    },
    async chunksOf(references: StreamChunksRequest['references']): Promise<StreamChunksResponse[]> {
      const request = {
        dataset: 'default',
        datasetFingerprint: '',
        shape: SHAPE,
        grownShape: undefined,
        border: BorderRule.UNSPECIFIED,
        references,
      };
      const answers: StreamChunksResponse[] = [];
      for await (const answer of readStream(chunks.streamChunks(request))) answers.push(answer);
      return answers;
    },
    stats(): Promise<GetChunkStatsResponse> {
      const options = { metadata: new Metadata(), timeoutMs: 5_000 };
      return callUnary(chunks.getChunkStats.bind(chunks), {}, options);
    },
    async stop() {
      chunks.close();
      datasets.close();
      service.signal('SIGTERM');
      expect((await service.finished).code).toBe(0);
    },
  };
}

/** A scan as the MetaImage format defines it, read with nothing of ours. */
async function readScan(seriesUid: string) {
  const path = join(data, 'subset0', seriesUid);
  const header = await readFile(`${path}.mhd`, 'utf8');
  const numbers = (field: string) =>
    new RegExp(`^${field} = (.*)$`, 'm').exec(header)![1]!.trim().split(' ').map(Number);
  const raw = await readFile(`${path}.raw`);
  const [columns, rows, slices] = numbers('DimSize') as [number, number, number];
  return {
    size: [slices, rows, columns],
    voxel: (slice: number, row: number, column: number) =>
      raw.readInt16LE(2 * ((slice * rows + row) * columns + column)),
    /** Nearest voxel [slice, row, column] of a point in mm, for an axis-aligned scan. */
    nearest: (point: readonly number[]) => {
      const offset = numbers('Offset');
      const matrix = numbers('TransformMatrix');
      const spacing = numbers('ElementSpacing');
      return [2, 1, 0].map((axis) =>
        Math.round((point[axis]! - offset[axis]!) / (matrix[axis * 3 + axis]! * spacing[axis]!)),
      );
    },
    isAxisAligned: numbers('TransformMatrix').every((value, at) =>
      at % 4 === 0 ? Math.abs(value) === 1 : value === 0,
    ),
  };
}

describe('chunk-cache', () => {
  it('streams chunks that equal a cut made with nothing of ours', async () => {
    const cache = await startCache(data, join(folder, 'store-cut'));
    const candidates = await cache.candidates();
    const answers = await cache.chunksOf(candidates);
    expect(answers.map(({ referenceIndex }) => referenceIndex)).toEqual(candidates.map((_, index) => index));
    let compared = 0;
    for (const [index, { result }] of answers.entries()) {
      const { seriesUid, centerXyzMm } = candidates[index]!;
      const scan = await readScan(seriesUid);
      if (!scan.isAxisAligned || result?.$case !== 'chunk') continue;
      const { x, y, z } = centerXyzMm!;
      const extent = [SHAPE.depth, SHAPE.height, SHAPE.width];
      // The window [centre - n/2, centre + n/2) is pushed inside the scan where it leaves it.
      const first = scan
        .nearest([x, y, z])
        .map((centre, axis) =>
          Math.max(0, Math.min(scan.size[axis]! - extent[axis]!, centre - Math.floor(extent[axis]! / 2))),
        ) as [number, number, number];
      const bytes = Buffer.from(result.value.voxelsHu);
      let differing = 0;
      for (let at = 0; at < SHAPE.depth * SHAPE.height * SHAPE.width; at++) {
        const column = at % SHAPE.width;
        const row = Math.floor(at / SHAPE.width) % SHAPE.height;
        const slice = Math.floor(at / (SHAPE.width * SHAPE.height));
        const hu = scan.voxel(first[0] + slice, first[1] + row, first[2] + column);
        if (bytes.readInt16LE(2 * at) !== Math.max(-1000, Math.min(1000, hu))) differing++;
      }
      expect(differing).toBe(0);
      compared++;
    }
    expect(compared).toBeGreaterThan(10);
    await cache.stop();
  });

  it('finds in its store, after a new start, what it cut before', async () => {
    const store = join(folder, 'store-kept');
    const first = await startCache(data, store);
    const candidates = await first.candidates();
    const before = await first.chunksOf(candidates);
    expect(await first.stats()).toMatchObject({ cutChunkCount: candidates.length, failedChunkCount: 0 });
    await first.stop();
    const second = await startCache(data, store);
    expect(await second.chunksOf(candidates)).toEqual(before);
    const { tiers, cutChunkCount } = await second.stats();
    expect(cutChunkCount).toBe(0);
    expect(tiers.find(({ tier }) => tier === 'lmdb')).toMatchObject({
      hitCount: candidates.length,
      missCount: 0,
    });
    await second.stop();
  });

  it('answers what it cannot cut in its place, and goes on', async () => {
    const broken = await makeSmallDataset(join(folder, 'broken'));
    const cache = await startCache(broken, join(folder, 'store-broken'));
    const candidates = await cache.candidates();
    const good = candidates[0]!;
    const damaged = candidates.find(({ seriesUid }) => seriesUid !== good.seriesUid)!;
    await truncate(join(broken, 'subset0', `${damaged.seriesUid}.raw`), 1000);
    const answers = await cache.chunksOf([
      { seriesUid: 'unknown', centerXyzMm: good.centerXyzMm },
      { seriesUid: good.seriesUid, centerXyzMm: { x: 1e6, y: 0, z: 0 } },
      damaged,
      good,
    ]);
    const kinds = answers.map(({ result }) =>
      result?.$case === 'error' ? result.value.code : result?.$case,
    );
    expect(kinds).toEqual([
      ChunkErrorCode.NOT_FOUND,
      ChunkErrorCode.OUT_OF_RANGE,
      ChunkErrorCode.DATA_LOSS,
      'chunk',
    ]);
    expect((await cache.stats()).failedChunkCount).toBe(3);
    await cache.stop();
  });
});
