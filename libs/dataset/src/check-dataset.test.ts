import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CUBE, layOutDataset, SMALL_LAYOUT } from '../test/lay-out-dataset.ts';
import { checkDataset, type DatasetReport } from './check-dataset.ts';
import type { DatasetProblem } from './dataset-problem.ts';

const ofKind = <Kind extends DatasetProblem['kind']>(report: DatasetReport, kind: Kind) =>
  report.problems.filter(
    (problem): problem is Extract<DatasetProblem, { kind: Kind }> => problem.kind === kind,
  );

describe('checkDataset()', () => {
  it('finds nothing wrong with a good set, and counts it', async () => {
    await withTemporaryFolder(async (folder) => {
      const candidates = ['a,2,2,2,1', 'b,8,8,8,1', 'c,4,4,4,0', 'c,5,5,5,0', 'c,6,6,6,0'];
      await layOutDataset(folder, { ...SMALL_LAYOUT, candidates });
      const report = await checkDataset(folder, { chunkShape: CUBE });
      expect(report).toEqual({
        dir: folder,
        problems: [],
        counts: {
          rows: 5,
          rowPositives: 2,
          rowNegatives: 3,
          candidates: 5,
          positives: 2,
          negatives: 3,
          positivesWithoutDiameter: 1,
          annotations: 2,
          usableSeries: 3,
          badSeries: 0,
          missingSeries: 0,
        },
        negativesPerPositive: 1.5,
        sharedSeriesCount: 0,
      });
    });
  });

  it('finds every kind of fault in one pass', async () => {
    await withTemporaryFolder(async (folder) => {
      await layOutDataset(folder, {
        candidates: [
          'a,20,5,-1,0',
          'a,x,5,5,0',
          'a,1,2,3',
          'gone,1,1,1,1',
          'gone,2,2,2,0',
          ...SMALL_LAYOUT.candidates,
        ],
        annotations: ['a,2,2,2,-4', ...SMALL_LAYOUT.annotations],
        patients: ['a,p1', 'a,p2'],
        scans: { 'subset0/a': CUBE, b: CUBE, c: CUBE, d: CUBE, e: CUBE, 'subset1/e': CUBE },
      });
      await writeFile(join(folder, 'b.mhd'), 'NDims = 3\nDimSize = 10 10 10\nElementDataFile = b.raw\n');
      await truncate(join(folder, 'c.raw'), 7);
      await rm(join(folder, 'd.raw'));
      const report = await checkDataset(folder);

      expect(ofKind(report, 'csv-fault').map(({ path, line, field }) => [path, line, field])).toEqual([
        [join(folder, 'candidates.csv'), 3, 'coordX'],
        [join(folder, 'candidates.csv'), 4, undefined],
        [join(folder, 'annotations.csv'), 2, 'diameter_mm'],
        [join(folder, 'patients.csv'), 3, 'seriesuid'],
      ]);
      expect(ofKind(report, 'duplicate-series').map(({ paths }) => paths)).toEqual([
        [join(folder, 'e.mhd'), join(folder, 'subset1/e.mhd')],
      ]);
      expect(ofKind(report, 'bad-header').map(({ seriesUid }) => seriesUid)).toEqual(['b']);
      expect(ofKind(report, 'bad-data').map(({ seriesUid }) => seriesUid)).toEqual(['c', 'd']);
      expect(ofKind(report, 'missing-scan')).toMatchObject([
        { seriesUid: 'gone', candidateCount: 2, severity: 'warning' },
      ]);
      expect(ofKind(report, 'thin-scan').map(({ seriesUid }) => seriesUid)).toEqual(['a', 'e']);
      expect(ofKind(report, 'outside-scan')).toEqual([
        {
          kind: 'outside-scan',
          severity: 'error',
          message: `${join(folder, 'candidates.csv')}:2: the centre (20, 5, -1) mm is voxel [-1, 5, 20] of series a, outside its 10x10x10 voxels`,
          path: join(folder, 'candidates.csv'),
          line: 2,
          seriesUid: 'a',
          centerXyzMm: [20, 5, -1],
          centerIrc: [-1, 5, 20],
          shape: CUBE,
        },
      ]);
      expect(report.counts).toMatchObject({
        rows: 9,
        candidates: 3,
        usableSeries: 2,
        badSeries: 3,
        missingSeries: 1,
      });
      for (const { message } of report.problems) expect(message).not.toMatch(/\n|undefined|\[object/);
    });
  });

  it('reports a missing folder, and missing tables, as problems', async () => {
    await withTemporaryFolder(async (folder) => {
      const nothing = await checkDataset(join(folder, 'no'));
      expect(nothing.problems.map(({ kind }) => kind)).toEqual(['missing-file', 'no-candidates']);
      const empty = await checkDataset(folder);
      expect(ofKind(empty, 'missing-file').map(({ path }) => path)).toEqual([
        join(folder, 'candidates.csv'),
        join(folder, 'annotations.csv'),
      ]);
      expect(empty.negativesPerPositive).toBeUndefined();
      expect(empty.sharedSeriesCount).toBeUndefined();
    });
  });

  it('lists a thousand faults of a table and counts the others', async () => {
    await withTemporaryFolder(async (folder) => {
      const candidates = Array.from({ length: 1500 }, () => 'a,nan,1,1,0');
      const report = await checkDataset(await layOutDataset(folder, { ...SMALL_LAYOUT, candidates }));
      expect(ofKind(report, 'csv-fault').length).toBe(1000);
      expect(ofKind(report, 'more-csv-faults')).toMatchObject([{ count: 500 }]);
    });
  });

  it('warns of series on both sides of a split by candidate', async () => {
    await withTemporaryFolder(async (folder) => {
      const candidates = ['a,1,1,1,1', 'a,2,2,2,0', 'b,1,1,1,0'];
      const report = await checkDataset(await layOutDataset(folder, { ...SMALL_LAYOUT, candidates }));
      expect(ofKind(report, 'shared-series')).toMatchObject([{ seriesCount: 1, severity: 'warning' }]);
    });
  });

  const lunaMini = sharedDataPath('luna-mini');
  it.skipIf(!lunaMini)(
    'finds the 38 centres outside and the thin scan of a real slab [needs shared data luna-mini]',
    async () => {
      const report = await checkDataset(lunaMini!);
      const outside = ofKind(report, 'outside-scan');
      expect(outside.length).toBe(38);
      expect(new Set(outside.map(({ seriesUid }) => seriesUid.slice(-6)))).toEqual(new Set(['003264']));
      // Lines 2 to 4 are its nodules, of which two lie above the slab; the other 36 are findings.
      expect(outside.slice(0, 3).map(({ line }) => line <= 4)).toEqual([true, true, false]);
      expect(ofKind(report, 'thin-scan')).toMatchObject([
        { shape: { depth: 11, height: 512, width: 512 }, chunkShape: { depth: 32, height: 48, width: 48 } },
      ]);
      expect(report.problems.filter(({ severity }) => severity === 'error').length).toBe(38);
      expect(report.counts).toMatchObject({ rows: 77, candidates: 39, usableSeries: 2, badSeries: 0 });
    },
  );
});
