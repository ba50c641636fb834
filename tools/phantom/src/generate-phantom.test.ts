import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDataset, loadDataset } from '@lunastream/dataset';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { PhantomCapacityError, PhantomSettingsError, PhantomTargetError } from './errors.ts';
import { generatePhantom, type GeneratePhantomOptions } from './generate-phantom.ts';

const SMALL = {
  background: 'synthetic',
  seed: 7,
  scanCount: 3,
  nodulesPerScan: 2,
  negativesPerNodule: 10,
  shape: { depth: 40, height: 96, width: 96 },
} as const;

async function fileHashes(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const hashes: Record<string, string> = {};
  for (const name of names) {
    if (!(await stat(join(folder, name))).isFile()) continue;
    hashes[name] = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
  }
  return hashes;
}

/** Runs with the options changed, into `<folder>/out`. */
function generateIn(folder: string, change: Partial<GeneratePhantomOptions> = {}) {
  return generatePhantom({ ...SMALL, outDir: join(folder, 'out'), ...change });
}

describe('generatePhantom()', () => {
  it('writes a LUNA16 folder without a fault, at the imbalance asked for', () =>
    withTemporaryFolder(async (folder) => {
      const report = await generateIn(folder);
      expect(report).toMatchObject({ reused: false, positiveCount: 6, negativeCount: 60, patientCount: 3 });
      expect((await readdir(report.outDir)).sort()).toEqual([
        'README.txt',
        'annotations.csv',
        'candidates.csv',
        'patients.csv',
        'phantom.json',
        'subset0',
      ]);
      // Every candidate lies inside its scan, by header and direction, or the loader would have left it out.
      const { counts } = await loadDataset(report.outDir);
      expect(counts).toMatchObject({ candidates: 66, positives: 6, negatives: 60, outsideScan: 0 });
      // Every data set of several candidates a scan leaks when it is split by candidate; nothing else is wrong.
      const { problems } = await checkDataset(report.outDir);
      expect(problems.map(({ kind }) => kind)).toEqual(['shared-series']);
    }));

  it('says on request which nodules are malignant: the spiculated ones', () =>
    withTemporaryFolder(async (folder) => {
      const report = await generateIn(folder, { malignancy: true, scanCount: 1, nodulesPerScan: 8 });
      const { candidates } = await loadDataset(report.outDir);
      const isSpiculated = new Map(
        report.series.flatMap(({ nodules }) =>
          nodules.map(({ diameterMm, surface }) => [diameterMm.toFixed(6), surface === 'spiculated']),
        ),
      );
      const nodules = candidates.filter(({ isNodule }) => isNodule);
      expect(nodules).toHaveLength(8);
      for (const { diameterMm, isMalignant } of nodules) {
        expect(isMalignant, String(diameterMm)).toBe(isSpiculated.get(diameterMm.toFixed(6)));
      }
      expect(
        candidates.filter(({ isNodule, isMalignant }) => !isNodule && isMalignant !== undefined),
      ).toEqual([]);
    }));

  it('gives every positive candidate the diameter of its nodule by the quarter-diameter rule', () =>
    withTemporaryFolder(async (folder) => {
      const report = await generateIn(folder);
      const { candidates } = await loadDataset(report.outDir);
      const stated = report.series.flatMap(({ nodules }) => nodules.map(({ diameterMm }) => diameterMm));
      const matched = candidates.filter(({ isNodule }) => isNodule).map(({ diameterMm }) => diameterMm);
      const ascending = (a: number, b: number) => a - b;
      matched.sort(ascending).forEach((diameterMm, rank) => {
        expect(diameterMm).toBeCloseTo(stated.sort(ascending)[rank]!, 5);
      });
      expect(candidates.filter(({ isNodule, diameterMm }) => !isNodule && diameterMm > 0)).toEqual([]);
    }));

  it('gives equal bytes for equal settings, and others for another seed', () =>
    withTemporaryFolder(async (folder) => {
      const one = { scanCount: 1 };
      await generateIn(folder, { ...one, outDir: join(folder, 'a') });
      await generateIn(folder, { ...one, outDir: join(folder, 'b') });
      await generateIn(folder, { ...one, outDir: join(folder, 'c'), seed: 8 });
      const first = await fileHashes(join(folder, 'a'));
      expect(await fileHashes(join(folder, 'b'))).toEqual(first);
      const other = await fileHashes(join(folder, 'c'));
      expect(other['annotations.csv']).not.toBe(first['annotations.csv']);
      expect(Object.keys(other)).not.toEqual(Object.keys(first));
    }));

  it('reuses a folder made from the same settings', () =>
    withTemporaryFolder(async (folder) => {
      const first = await generateIn(folder, { scanCount: 1 });
      const before = await fileHashes(first.outDir);
      const second = await generateIn(folder, { scanCount: 1 });
      expect(second).toEqual({ ...first, reused: true });
      expect(await fileHashes(first.outDir)).toEqual(before);
    }));

  it('refuses a folder made from other settings, a damaged one, and one that holds something else', () =>
    withTemporaryFolder(async (folder) => {
      const { outDir, series } = await generateIn(folder, { scanCount: 1 });
      await expect(generateIn(folder, { scanCount: 1, seed: 8 })).rejects.toThrow(
        /same settings, got .*"seed":7/,
      );
      await rm(join(outDir, 'subset0', `${series[0]!.seriesUid}.raw`));
      await expect(generateIn(folder, { scanCount: 1 })).rejects.toThrow(/\.raw is damaged or gone/);
      await mkdir(join(folder, 'other'));
      await writeFile(join(folder, 'other', 'thesis.txt'), 'mine');
      await expect(generateIn(folder, { outDir: join(folder, 'other') })).rejects.toThrow(PhantomTargetError);
      expect(await readFile(join(folder, 'other', 'thesis.txt'), 'utf8')).toBe('mine');
    }));

  it('writes into an empty folder', () =>
    withTemporaryFolder(async (folder) => {
      await mkdir(join(folder, 'out'));
      expect((await generateIn(folder, { scanCount: 1 })).reused).toBe(false);
      await access(join(folder, 'out', 'candidates.csv'));
    }));

  it('leaves nothing behind when aborted on the way, and rejects with the reason', () =>
    withTemporaryFolder(async (folder) => {
      const controller = new AbortController();
      const reason = new Error('stopped by the test');
      const running = generateIn(folder, {
        signal: controller.signal,
        onProgress: ({ scansDone }) => scansDone === 1 && controller.abort(reason),
      });
      await expect(running).rejects.toBe(reason);
      expect(await readdir(folder)).toEqual([]);
    }));

  it('stops within a scan, not only between scans', () =>
    withTemporaryFolder(async (folder) => {
      const controller = new AbortController();
      const scans: string[] = [];
      const running = generateIn(folder, {
        signal: controller.signal,
        onProgress: ({ seriesUid }) => scans.push(seriesUid),
      });
      setImmediate(() => controller.abort());
      await expect(running).rejects.toThrow(/abort/i);
      expect(scans).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
    }));

  it('leaves nothing behind when a lung has no room, and names the scan', () =>
    withTemporaryFolder(async (folder) => {
      const error = await generateIn(folder, { nodulesPerScan: 200 }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PhantomCapacityError);
      expect((error as PhantomCapacityError).placed).toBeLessThan(200);
      expect(await readdir(folder)).toEqual([]);
    }));

  it('refuses bad settings before it touches the disk', () =>
    withTemporaryFolder(async (folder) => {
      await expect(generateIn(folder, { scanCount: 0 })).rejects.toThrow(PhantomSettingsError);
      expect(await readdir(folder)).toEqual([]);
    }));
});
