import { loadDataset, type SeriesEntry } from '@lunastream/dataset';
import { withTemporaryFolder } from '@lunastream/testing';
import { irc, LocalFiles, voxelCount } from '@lunastream/volume';
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CorruptCopyError } from './errors.ts';
import { layOutScans, makeScan, SCAN_SHAPE, writeScan } from './testing/index.ts';
import { clearCopies, verifyCopies, VolumeCopies } from './volume-copies.ts';

const SCAN_BYTES = 2 * voxelCount(SCAN_SHAPE);

/** A data set of one compressed scan for each seed, and copies of at most `limitBytes`. */
async function withCopies(
  seeds: readonly number[],
  limitBytes: number,
  use: (parts: {
    copies: VolumeCopies;
    series: SeriesEntry[];
    copyFolder: string;
    folder: string;
    said: string[];
  }) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    await layOutScans(folder);
    for (const seed of seeds) await writeScan(join(folder, `c${seed}`), makeScan(seed), { compressed: true });
    const dataset = await loadDataset(folder);
    const series = seeds.map((seed) => dataset.series.get(`c${seed}`)!);
    const said: string[] = [];
    const copyFolder = join(folder, 'volumes');
    const copies = new VolumeCopies({
      folder: copyFolder,
      limitBytes,
      files: new LocalFiles(),
      events: {
        onTierError: (tier) => said.push(`${tier} fails`),
        onTierRecovered: (tier) => said.push(`${tier} works`),
      },
    });
    await use({ copies, series, copyFolder, folder, said });
  });
}

/** All voxels of `series`, through its copy. */
async function readAll(copies: VolumeCopies, series: SeriesEntry): Promise<Int16Array> {
  const reader = (await copies.open(series))!;
  try {
    return await reader.readWindow(irc(0, 0, 0), SCAN_SHAPE);
  } finally {
    await reader.close();
  }
}

/** Turns one bit of a file over. */
async function damage(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
  await file.write(Buffer.from([buffer[0]! ^ 1]), 0, 1, position);
  await file.close();
}

const fileOf = async (folder: string, suffix: string) =>
  join(
    folder,
    (await readdir(folder)).find((name) => name.endsWith(suffix))!,
  );

describe('VolumeCopies', () => {
  it('reads a compressed scan once, for all who ask at the same time, and by its copy from then on', () =>
    withCopies([1], 2 ** 20, async ({ copies, series: [series] }) => {
      const all = await Promise.all(Array.from({ length: 8 }, () => readAll(copies, series!)));
      for (const voxels of all) expect(voxels).toEqual(makeScan(1).voxelsHu);
      expect(await readAll(copies, series!)).toEqual(makeScan(1).voxelsHu);
      expect(copies.stats()).toMatchObject({ copiedCount: 1, entryCount: 1, corruptCount: 0, errorCount: 0 });
    }));

  it('finds the copies of an earlier process, and reads nothing of the scan', () =>
    withCopies([1], 2 ** 20, async ({ copies, series: [series], copyFolder, folder }) => {
      await readAll(copies, series!);
      await rm(join(folder, 'c1.zraw'));
      const events = { onTierError: () => undefined };
      const later = new VolumeCopies({
        folder: copyFolder,
        limitBytes: 2 ** 20,
        files: new LocalFiles(),
        events,
      });
      expect(await readAll(later, series!)).toEqual(makeScan(1).voxelsHu);
      expect(later.stats()).toMatchObject({ hitCount: 1, copiedCount: 0 });
    }));

  it('drops the least recently used copies to stay below its limit', () =>
    withCopies([1, 2, 3], 2.6 * SCAN_BYTES, async ({ copies, series, copyFolder }) => {
      for (const one of series) expect(await readAll(copies, one)).toHaveLength(SCAN_BYTES / 2);
      expect(copies.stats()).toMatchObject({ entryCount: 2, evictionCount: 1 });
      expect(await verifyCopies(copyFolder)).toMatchObject({ entryCount: 2, corruptCount: 0 });
    }));

  it.each(['.raw', '.raw.crc32c', '.mhd', '.mhd.crc32c'])(
    'serves nothing of a copy whose %s was damaged, counts it and makes another',
    (suffix) =>
      withCopies([1], 2 ** 20, async ({ copies, series: [series], copyFolder }) => {
        await readAll(copies, series!);
        await damage(await fileOf(copyFolder, suffix), 1);
        const voxels = await readAll(copies, series!).catch((error: unknown) => {
          expect(error).toBeInstanceOf(CorruptCopyError);
          return readAll(copies, series!);
        });
        expect(voxels).toEqual(makeScan(1).voxelsHu);
        expect(copies.stats()).toMatchObject({ copiedCount: 2, corruptCount: 1 });
      }),
  );

  it('verifyCopies() removes damaged and half written copies, clearCopies() all', () =>
    withCopies([1, 2], 2 ** 20, async ({ copies, series, copyFolder }) => {
      for (const one of series) await readAll(copies, one);
      await damage(await fileOf(copyFolder, '.raw'), SCAN_BYTES - 1);
      await writeFile(join(copyFolder, 'half.raw'), 'voxels');
      expect(await verifyCopies(copyFolder)).toMatchObject({ entryCount: 3, corruptCount: 2 });
      expect(await verifyCopies(copyFolder)).toMatchObject({ entryCount: 1, corruptCount: 0 });
      expect(await clearCopies(copyFolder)).toMatchObject({ entryCount: 1 });
      expect(await readdir(copyFolder)).toEqual([]);
    }));

  it('makes no copy of a scan larger than its limit, says so once and counts it', () =>
    withCopies([1, 2], SCAN_BYTES - 1, async ({ copies, series, said }) => {
      for (const one of series) expect(await copies.open(one)).toBeUndefined();
      expect(said).toEqual(['volumes fails']);
      expect(copies.stats()).toMatchObject({ errorCount: 2, copiedCount: 0, entryCount: 0 });
    }));

  it('makes no copy where it cannot write, and some again once it can', () =>
    withCopies([1], 2 ** 20, async ({ copies, series: [series], copyFolder, said }) => {
      await writeFile(copyFolder, 'in the way');
      expect(await copies.open(series!)).toBeUndefined();
      await rm(copyFolder);
      expect(await readAll(copies, series!)).toEqual(makeScan(1).voxelsHu);
      expect(said).toEqual(['volumes fails', 'volumes works']);
    }));

  it('refuses a scan that is no longer the one of its data set', () =>
    withCopies([1], 2 ** 20, async ({ copies, series: [series], folder }) => {
      await writeScan(join(folder, 'c1'), makeScan(2), { compressed: true });
      await expect(copies.open(series!)).rejects.toMatchObject({ tag: 'SeriesChangedError' });
    }));
});
