import { MemoryChunkStore, TieredChunkStore } from '@lunastream/chunk-store';
import type { Dataset } from '@lunastream/dataset';
import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import {
  cropChunk,
  LocalFiles,
  irc,
  openVolume,
  readChunk,
  readVolume,
  xyzMm,
  xyzToIrc,
  type Shape,
} from '@lunastream/volume';
import fc from 'fast-check';
import { appendFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { centerOf, layOutScans, makeScan, SCAN_SHAPE, writeScan } from './testing/index.ts';
import { ChunkCutter } from './chunk-cutter.ts';
import { DatasetCatalog } from './dataset-catalog.ts';
import { SeriesChangedError } from './errors.ts';
import { SeriesWatch } from './series-watch.ts';
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

/** A cutter of the data set `luna` in `folder`; it looks at the scans before each chunk. */
function makeCutter(folder: string, store: TieredChunkStore) {
  const files = new LocalFiles();
  const catalog = new DatasetCatalog([{ name: 'luna', folder }], { files });
  const volumes = new VolumePool({
    limitBytes: 2 ** 20,
    open: async (series) => {
      const reader = await openVolume(series.path, { files });
      if (reader.revision === series.revision) return reader;
      await reader.close();
      throw new SeriesChangedError(series.seriesUid);
    },
  });
  onTestFinished(() => volumes.close());
  const watch = new SeriesWatch({ files, intervalMs: 0, nowMs: () => 0 });
  return { catalog, cutter: new ChunkCutter({ catalog, store, volumes, watch }) };
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
    await layOutScans(folder);
    const store = makeStore();
    const { catalog, cutter } = makeCutter(folder, store);
    await use({ folder, dataset: await catalog.get('luna'), store, cutter });
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
      expect(await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)).toEqual(chunk);
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
      const reader = await openVolume(join(folder, 'subset0/a.mhd'));
      const expected = await readChunk(reader, xyzToIrc(reader.geometry, MIDDLE), CHUNK);
      await reader.close();
      const { catalog, cutter: later } = makeCutter(folder, store);
      const changed = await catalog.get('luna');
      const after = await later.getChunk(changed, 'a', MIDDLE, EXTENT);
      expect(after).toEqual(expected);
      expect(after).not.toEqual(before);
    }));

  it.each(['written over', 'replaced'])(
    'cuts a scan that was %s as it is now, also for who knows the data set from before',
    (how) =>
      withScans(async ({ folder, dataset, store, cutter }) => {
        const path = join(folder, 'subset0/a');
        const before = await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT);
        const scan = makeScan(3);
        if (how === 'replaced') await writeScan(path, scan);
        else await writeFile(`${path}.raw`, new Uint8Array(scan.voxelsHu.buffer));
        const after = await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT);
        expect(after).toEqual(cropChunk(scan, irc(6, 8, 10), CHUNK));
        expect(after).not.toEqual(before);
        expect(await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)).toBe(after);
        expect(store.cutCount).toBe(2);
      }),
  );

  it('reports data loss when a scan became another one, so that the data set is not what it was', () =>
    withScans(async ({ folder, dataset, cutter }) => {
      await cutter.getChunk(dataset, 'a', MIDDLE, EXTENT);
      await writeScan(join(folder, 'subset0/a'), makeScan(1, { depth: 9, height: 9, width: 9 }));
      await expect(cutter.getChunk(dataset, 'a', MIDDLE, EXTENT)).rejects.toMatchObject({
        fault: 'data-loss',
        message: expect.stringMatching(
          /^Cannot cut a chunk: scan a changed since the data set was read, the data set's fingerprint is now/,
        ) as string,
      });
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
    const { catalog, cutter } = makeCutter(noduleCubes!, makeStore());
    const dataset = await catalog.get('luna');
    const shape = { depth: 24, height: 24, width: 24 };
    for (const { seriesUid, centerXyzMm } of dataset.candidates.slice(0, 20)) {
      const { path, geometry } = dataset.series.get(seriesUid)!;
      const expected = cropChunk(await readVolume(path), xyzToIrc(geometry, centerXyzMm), shape);
      expect(await cutter.getChunk(dataset, seriesUid, centerXyzMm, extentOf(shape))).toEqual(expected);
    }
  },
);
