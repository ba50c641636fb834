import { MemoryChunkStore, TieredChunkStore } from '@lunastream/chunk-store';
import { loadDataset, type Dataset } from '@lunastream/dataset';
import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import {
  cropChunk,
  openVolume,
  readChunk,
  readVolume,
  xyzMm,
  xyzToIrc,
  type Shape,
} from '@lunastream/volume';
import fc from 'fast-check';
import { appendFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { centerOf, layOutScans, makeScan, SCAN_SHAPE, writeScan } from './testing/index.ts';
import { ChunkCutter } from './chunk-cutter.ts';
import { VolumePool } from './volume-pool.ts';

const CHUNK: Shape = { depth: 4, height: 6, width: 8 };
const extentOf = (shape: Shape) => ({ shape, grownShape: shape });
const EXTENT = extentOf(CHUNK);
const MIDDLE = centerOf(6, 8, 10);

function makeStore(): TieredChunkStore {
  return new TieredChunkStore([new MemoryChunkStore({ limitBytes: 2 ** 20 })], {
    onTierError: (tier, error) => {
      throw new Error(`tier ${tier} failed`, { cause: error });
    },
  });
}

function makeCutter(store: TieredChunkStore): ChunkCutter {
  const volumes = new VolumePool({ limitBytes: 2 ** 20 });
  onTestFinished(() => volumes.close());
  return new ChunkCutter(store, volumes);
}

/** Runs `use` with a laid out data set and a cutter with an empty store. */
function withScans(
  use: (parts: {
    folder: string;
    dataset: Dataset;
    store: TieredChunkStore;
    cutter: ChunkCutter;
  }) => Promise<void>,
): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    const dataset = await loadDataset(await layOutScans(folder));
    const store = makeStore();
    await use({ folder, dataset, store, cutter: makeCutter(store) });
  });
}

describe('ChunkCutter', () => {
  it('gives the same voxels as readChunk of the open scan, at borders and in thin scans too', () =>
    withScans(async ({ dataset, cutter }) => {
      const voxel = fc.tuple(
        fc.integer({ min: 0, max: SCAN_SHAPE.depth - 1 }),
        fc.integer({ min: 0, max: SCAN_SHAPE.height - 1 }),
        fc.integer({ min: 0, max: SCAN_SHAPE.width - 1 }),
      );
      const extent = fc.integer({ min: 1, max: 24 });
      const shape = fc.record({ depth: extent, height: extent, width: extent });
      const check = async (uid: string, position: [number, number, number], chunkShape: Shape) => {
        const series = dataset.series.get(uid)!;
        const center = centerOf(...position);
        const reader = await openVolume(series.path);
        const expected = await readChunk(reader, xyzToIrc(series.geometry, center), chunkShape);
        await reader.close();
        expect(await cutter.getChunk(dataset, uid, center, extentOf(chunkShape))).toEqual(expected);
      };
      const property = fc.asyncProperty(fc.constantFrom('a', 'b'), voxel, shape, check);
      await fc.assert(property, { numRuns: 60 });
    }));

  it('serves what the store has without opening the scan', () =>
    withScans(async ({ folder, dataset, store, cutter }) => {
      const chunk = await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT);
      await rm(join(folder, 'subset0'), { recursive: true });
      expect(await makeCutter(store).getChunk(dataset, 'a', MIDDLE, EXTENT)).toEqual(chunk);
      expect(store.cutCount).toBe(1);
    }));

  it('cuts once for everyone who asks at the same time', () =>
    withScans(async ({ dataset, store, cutter }) => {
      await Promise.all(Array.from({ length: 16 }, () => cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)));
      expect(store.cutCount).toBe(1);
    }));

  it('does not serve what the store keeps of an earlier state of the data set', () =>
    withScans(async ({ folder, dataset, store, cutter }) => {
      const before = await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT);
      await writeScan(join(folder, 'subset0/a'), makeScan(3));
      await appendFile(join(folder, 'candidates.csv'), '\n');
      const changed = await loadDataset(folder);
      const reader = await openVolume(changed.series.get('a')!.path);
      const expected = await readChunk(reader, xyzToIrc(reader.geometry, MIDDLE), CHUNK);
      await reader.close();
      const after = await makeCutter(store).getChunk(changed, 'a', MIDDLE, EXTENT);
      expect(after).toEqual(expected);
      expect(after).not.toEqual(before);
    }));

  it('finds no scan that the data set does not have', () =>
    withScans(async ({ dataset, cutter }) => {
      await expect(cutter.getChunk(dataset, 'x', MIDDLE, EXTENT)).rejects.toMatchObject({
        tag: 'ChunkFaultError',
        fault: 'not-found',
        message: 'Cannot cut a chunk: the data set has no scan x',
      });
    }));

  it.each([
    ['a voxel before the first slice', centerOf(-1, 8, 10)],
    ['a voxel behind the last row', centerOf(6, SCAN_SHAPE.height, 10)],
    ['a place far away', xyzMm(1e300, -1e300, 0)],
  ])('names scan and size when the centre is %s', (_, center) =>
    withScans(async ({ dataset, cutter }) => {
      await expect(cutter.getChunk(dataset, 'a', center, EXTENT)).rejects.toMatchObject({
        fault: 'out-of-range',
        message: expect.stringMatching(
          /^Cannot cut a chunk: centre irc .* lies outside scan a of 12x16x20/,
        ) as string,
      });
    }),
  );

  it.each([
    ['truncated', (path: string) => truncate(`${path}.raw`, 100), /a\.raw: .*the data are truncated/],
    ['gone', (path: string) => rm(`${path}.mhd`), /a\.mhd: no such file/],
  ])('reports data loss when the scan is %s, and serves it once it is repaired', (_, damage, message) =>
    withScans(async ({ folder, dataset, cutter }) => {
      const path = join(folder, 'subset0/a');
      await damage(path);
      await expect(cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)).rejects.toMatchObject({
        fault: 'data-loss',
        message: expect.stringMatching(message) as string,
      });
      await writeScan(path, makeScan(1));
      expect(await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)).toHaveLength(4 * 6 * 8);
    }),
  );

  it('reports data loss when the scan is cut short while it is open', () =>
    withScans(async ({ folder, dataset, cutter }) => {
      await cutter.getChunk(dataset, 'a', centerOf(1, 8, 10), EXTENT);
      await truncate(join(folder, 'subset0/a.raw'), 100);
      await expect(cutter.getChunk(dataset, 'a', centerOf(10, 8, 10), EXTENT)).rejects.toMatchObject({
        fault: 'data-loss',
        message: expect.stringContaining('the file was cut after it was opened') as string,
      });
    }));

  it('does not call a bug data loss', () =>
    withScans(async ({ dataset, cutter }) => {
      const wrong = cutter.getChunk(dataset, 'a', MIDDLE, extentOf({ ...CHUNK, depth: 0 }));
      await expect(wrong).rejects.toMatchObject({ tag: 'BadChunkShapeError' });
    }));
});

const noduleCubes = sharedDataPath('nodule-cubes');

it.skipIf(!noduleCubes)(
  'ChunkCutter cuts real nodules as cropChunk of the whole scan does [needs shared data nodule-cubes]',
  async () => {
    const dataset = await loadDataset(noduleCubes!);
    const cutter = makeCutter(makeStore());
    const shape = { depth: 24, height: 24, width: 24 };
    for (const { seriesUid, centerXyzMm } of dataset.candidates.slice(0, 20)) {
      const { path, geometry } = dataset.series.get(seriesUid)!;
      const expected = cropChunk(await readVolume(path), xyzToIrc(geometry, centerXyzMm), shape);
      expect(await cutter.getChunk(dataset, seriesUid, centerXyzMm, extentOf(shape))).toEqual(expected);
    }
  },
);
