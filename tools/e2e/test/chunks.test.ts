import { copyFile, cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
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
import { sharedDataPath } from '@lunastream/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChunkShape } from '../src/chunk-cache.ts';
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
    async chunksOf(
      references: StreamChunksRequest['references'],
      shape: ChunkShape = SHAPE,
    ): Promise<StreamChunksResponse[]> {
      const request = {
        dataset: 'default',
        datasetFingerprint: '',
        shape,
        grownShape: undefined,
        border: BorderRule.UNSPECIFIED,
        references,
      };
      const answers: StreamChunksResponse[] = [];
      for await (const answer of readStream(chunks.streamChunks(request))) answers.push(answer);
      return answers;
    },
    stats(): Promise<GetChunkStatsResponse> {
      const options = { metadata: new Metadata(), timeoutMs: 60_000 };
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
async function readScan(dataFolder: string, seriesUid: string) {
  const path = join(dataFolder, 'subset0', seriesUid);
  const header = await readFile(`${path}.mhd`, 'utf8');
  const numbers = (field: string) =>
    new RegExp(`^${field} = (.*)$`, 'm').exec(header)![1]!.trim().split(' ').map(Number);
  const raw = await readFile(`${path}.raw`);
  const [columns, rows, slices] = numbers('DimSize') as [number, number, number];
  return {
    size: [slices, rows, columns],
    /** Clipped as chunks are; air where the scan has no such slice. */
    voxel: (slice: number, row: number, column: number) =>
      slice < 0 || slice >= slices
        ? -1000
        : Math.max(-1000, Math.min(1000, raw.readInt16LE(2 * ((slice * rows + row) * columns + column)))),
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

type Scan = Awaited<ReturnType<typeof readScan>>;

/**
 * The chunk around `center`, cut with nothing of ours. The window [centre - n/2, centre + n/2) is pushed inside the scan
 * where it leaves it; where the scan has fewer slices than the chunk it lies in the middle of it.
 */
function cutByHand(scan: Scan, { x, y, z }: { x: number; y: number; z: number }, shape: ChunkShape): Buffer {
  const extent = [shape.depth, shape.height, shape.width];
  const first = scan.nearest([x, y, z]).map((centre, axis) => {
    const spare = scan.size[axis]! - extent[axis]!;
    if (spare < 0) return -Math.floor(-spare / 2);
    return Math.max(0, Math.min(spare, centre - Math.floor(extent[axis]! / 2)));
  }) as [number, number, number];
  const bytes = Buffer.alloc(2 * shape.depth * shape.height * shape.width);
  for (let at = 0; at < bytes.length / 2; at++) {
    const column = at % shape.width;
    const row = Math.floor(at / shape.width) % shape.height;
    const slice = Math.floor(at / (shape.width * shape.height));
    bytes.writeInt16LE(scan.voxel(first[0] + slice, first[1] + row, first[2] + column), 2 * at);
  }
  return bytes;
}

/** Compares what a cache answered for candidates with chunks cut by hand of the `.raw` files in `dataFolder`. */
async function expectCutsByHand(
  answers: readonly StreamChunksResponse[],
  { candidates, dataFolder, shape }: { candidates: Candidate[]; dataFolder: string; shape: ChunkShape },
): Promise<void> {
  expect(answers.map(({ referenceIndex }) => referenceIndex)).toEqual(candidates.map((_, index) => index));
  const scans = new Map<string, Scan>();
  let compared = 0;
  for (const [index, { result }] of answers.entries()) {
    const { seriesUid, centerXyzMm } = candidates[index]!;
    const scan = scans.get(seriesUid) ?? (await readScan(dataFolder, seriesUid));
    scans.set(seriesUid, scan);
    if (result?.$case !== 'chunk') throw new Error(`no chunk of candidate ${index}`);
    if (!scan.isAxisAligned) continue;
    const expected = cutByHand(scan, centerXyzMm!, shape);
    expect(Buffer.compare(Buffer.from(result.value.voxelsHu), expected)).toBe(0);
    compared++;
  }
  expect(compared).toBeGreaterThan(0);
}

const lunaMini = sharedDataPath('luna-mini');
const dicom = sharedDataPath('dicom');
const BOOK_SHAPE = { depth: 32, height: 48, width: 48 };
/** The scan that lies in luna-mini as .mhd and in dicom as the files it was made of. */
const SLAB_UID = '1.3.6.1.4.1.14519.5.2.1.6279.6001.170706757615202213033480003264';

describe('chunk-cache', () => {
  it('streams chunks that equal a cut made with nothing of ours', async () => {
    const cache = await startCache(data, join(folder, 'store-cut'));
    const candidates = await cache.candidates();
    const answers = await cache.chunksOf(candidates);
    await expectCutsByHand(answers, { candidates, dataFolder: data, shape: SHAPE });
    await cache.stop();
  });

  it.skipIf(!lunaMini)(
    'streams chunks of real scans that equal a cut of their .raw files made with nothing of ours [needs shared data luna-mini]',
    async () => {
      const cache = await startCache(lunaMini!, join(folder, 'store-real'));
      const candidates = await cache.candidates();
      // A whole scan, and a slab thinner than a chunk.
      expect(new Set(candidates.map(({ seriesUid }) => seriesUid)).size).toBe(2);
      const answers = await cache.chunksOf(candidates, BOOK_SHAPE);
      await expectCutsByHand(answers, { candidates, dataFolder: lunaMini!, shape: BOOK_SHAPE });
      await cache.stop();
    },
  );

  it.skipIf(!lunaMini || !dicom)(
    'streams chunks of a DICOM series that equal a cut of its .raw twin [needs shared data luna-mini, dicom]',
    async () => {
      const dicomData = join(folder, 'dicom-data');
      await mkdir(join(dicomData, 'subset0'), { recursive: true });
      await cp(join(dicom!, 'lidc-0003-slab'), join(dicomData, 'subset0', SLAB_UID), { recursive: true });
      await copyFile(join(lunaMini!, 'annotations.csv'), join(dicomData, 'annotations.csv'));
      const [head, ...rows] = (await readFile(join(lunaMini!, 'candidates.csv'), 'utf8')).split('\n');
      const ofSlab = rows.filter((row) => row.startsWith(SLAB_UID));
      await writeFile(join(dicomData, 'candidates.csv'), [head, ...ofSlab, ''].join('\n'));
      const cache = await startCache(dicomData, join(folder, 'store-dicom'));
      const candidates = await cache.candidates();
      const answers = await cache.chunksOf(candidates, BOOK_SHAPE);
      await expectCutsByHand(answers, { candidates, dataFolder: lunaMini!, shape: BOOK_SHAPE });
      await cache.stop();
    },
  );

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
