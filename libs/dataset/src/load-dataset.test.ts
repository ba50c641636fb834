import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import { appendFile, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CUBE, layOutDataset, SMALL_LAYOUT } from '../test/lay-out-dataset.ts';
import { loadDataset } from './load-dataset.ts';
import { splitCandidates } from './split-candidates.ts';

const inOneLine = (candidates: readonly { seriesUid: string; isNodule: boolean; diameterMm: number }[]) =>
  candidates.map(({ seriesUid, isNodule, diameterMm }) => `${seriesUid} ${isNodule ? 1 : 0} ${diameterMm}`);

describe('loadDataset()', () => {
  it('gives diameters and the order of the book, and says where scans are', async () => {
    await withTemporaryFolder(async (folder) => {
      const dataset = await loadDataset(await layOutDataset(folder, SMALL_LAYOUT));
      // The negative of b is within a quarter of its nodule's 9.5 mm: it gets the diameter too.
      expect(inOneLine(dataset.candidates)).toEqual([
        'b 1 9.5',
        'a 1 4.5',
        'a 1 0',
        'b 0 9.5',
        'c 0 0',
        'a 0 0',
      ]);
      expect(dataset.counts).toEqual({
        rows: 6,
        candidates: 6,
        positives: 3,
        negatives: 3,
        missingScan: 0,
        outsideScan: 0,
        badHeader: 0,
      });
      expect([...dataset.series.values()].map(({ seriesUid, path }) => [seriesUid, path])).toEqual([
        ['a', join(folder, 'subset0/a.mhd')],
        ['b', join(folder, 'subset1/b.mhd')],
        ['c', join(folder, 'c.mhd')],
      ]);
      expect(dataset.series.get('a')!.geometry.shape).toEqual(CUBE);
    });
  });

  it('gives nodules their malignancy where a table says it, quoted columns beside', async () => {
    await withTemporaryFolder(async (folder) => {
      await layOutDataset(folder, SMALL_LAYOUT);
      const plain = await loadDataset(folder);
      const [head, ...rows] = (await readFile(join(folder, 'annotations.csv'), 'utf8')).trim().split('\n');
      const table = join(folder, 'annotations_with_malignancy.csv');
      const write = (malignant: (row: string) => string) =>
        writeFile(
          table,
          [`${head},mal_bool,mal_details`, ...rows.map((row) => `${row},${malignant(row)},"[4, 2]"`)].join(
            '\n',
          ),
        );
      await write((row) => (row.startsWith('b,') ? 'True' : 'False'));
      const dataset = await loadDataset(folder);
      // The negative near the nodule of b is no nodule; nobody annotated the second nodule of a.
      expect(dataset.candidates.map(({ isNodule, isMalignant }) => [isNodule, isMalignant])).toEqual([
        [true, true],
        [true, false],
        [true, undefined],
        [false, undefined],
        [false, undefined],
        [false, undefined],
      ]);
      expect(dataset.fingerprint).not.toBe(plain.fingerprint);
      await write(() => 'maybe');
      await expect(loadDataset(folder)).rejects.toThrow(
        /annotations_with_malignancy\.csv:2.*mal_bool.*must be True or False, got "maybe"/,
      );
    });
  });

  it('excludes and counts candidates without a scan, outside it, or of a bad one, and goes on', async () => {
    await withTemporaryFolder(async (folder) => {
      const candidates = [
        ...SMALL_LAYOUT.candidates,
        '../../etc/passwd,1,1,1,0',
        'a,9.6,0,0,1',
        'a,-0.6,0,0,0',
        'gone,1,1,1,1',
      ];
      await layOutDataset(folder, { ...SMALL_LAYOUT, candidates });
      await writeFile(join(folder, 'c.mhd'), 'NDims = 3\nDimSize = 10 10 10\nElementDataFile = c.raw\n');
      await truncate(join(folder, 'subset1/b.raw'), 1999);
      const dataset = await loadDataset(folder);
      expect(dataset.exclusions.map(({ row, reason }) => [row.line, row.seriesUid, reason])).toEqual([
        [4, 'b', 'bad-header'],
        [5, 'c', 'bad-header'],
        [7, 'b', 'bad-header'],
        [8, '../../etc/passwd', 'missing-scan'],
        [9, 'a', 'outside-scan'],
        [10, 'a', 'outside-scan'],
        [11, 'gone', 'missing-scan'],
      ]);
      expect(dataset.badSeries.map(({ seriesUid, reason }) => [seriesUid, reason.message])).toEqual([
        ['b', expect.stringMatching(/subset1\/b\.raw: .* need 2000 bytes, got 1999: the data are truncated/)],
        ['c', expect.stringContaining('field ElementSpacing must be given')],
      ]);
      expect(dataset.counts).toMatchObject({
        rows: 10,
        candidates: 3,
        missingScan: 2,
        outsideScan: 2,
        badHeader: 3,
      });
    });
  });

  it('keeps the borders of a scan: half a voxel around the outermost centres', async () => {
    await withTemporaryFolder(async (folder) => {
      const candidates = ['a,-0.5,0,0,0', 'a,9.4,9.4,9.4,1'];
      const dataset = await loadDataset(await layOutDataset(folder, { ...SMALL_LAYOUT, candidates }));
      expect(dataset.counts.candidates).toBe(2);
    });
  });

  it('restricts to one series, with the same fingerprint, and refuses one that is not there', async () => {
    await withTemporaryFolder(async (folder) => {
      await layOutDataset(folder, SMALL_LAYOUT);
      const whole = await loadDataset(folder);
      const one = await loadDataset(folder, { seriesUid: 'b' });
      expect(inOneLine(one.candidates)).toEqual(['b 1 9.5', 'b 0 9.5']);
      expect([...one.series.keys()]).toEqual(['b']);
      expect(one.counts.rows).toBe(2);
      expect(one.fingerprint).toBe(whole.fingerprint);
      await expect(loadDataset(folder, { seriesUid: 'x' })).rejects.toThrow(
        `Cannot use series x: it must be a usable scan of ${folder}, got no such scan`,
      );
      await truncate(join(folder, 'c.raw'), 7);
      await expect(loadDataset(folder, { seriesUid: 'c' })).rejects.toThrow(
        /got a bad one\. .*c\.raw.* got 7:/,
      );
    });
  });

  it('keeps an empty candidate list empty', async () => {
    await withTemporaryFolder(async (folder) => {
      const dataset = await loadDataset(await layOutDataset(folder, { ...SMALL_LAYOUT, candidates: [] }));
      expect(dataset.candidates).toEqual([]);
    });
  });

  it('takes patients from patients.csv, else each series is a patient', async () => {
    await withTemporaryFolder(async (folder) => {
      await layOutDataset(folder, { ...SMALL_LAYOUT, patients: ['a,p1', 'b,p1'] });
      const { candidates } = await loadDataset(folder);
      const patientOf = new Map(candidates.map(({ seriesUid, patientId }) => [seriesUid, patientId]));
      expect(Object.fromEntries(patientOf)).toEqual({ a: 'p1', b: 'p1', c: 'c' });
    });
  });

  it('has one clear error for a missing folder, candidates.csv or annotations.csv, and a doubled scan', async () => {
    await withTemporaryFolder(async (folder) => {
      await expect(loadDataset(join(folder, 'no'))).rejects.toThrow('no: the folder must exist');
      await layOutDataset(folder, { scans: { a: CUBE } });
      await expect(loadDataset(folder)).rejects.toThrow('candidates.csv: the file must exist');
      await layOutDataset(folder, { candidates: [] });
      await expect(loadDataset(folder)).rejects.toThrow('annotations.csv: the file must exist');
      await layOutDataset(folder, { annotations: [], scans: { 'subset0/a': CUBE } });
      await expect(loadDataset(folder)).rejects.toThrow('Cannot use series a: it must be one file');
    });
  });

  it('reports progress to the last table and the last header', async () => {
    await withTemporaryFolder(async (folder) => {
      const stages: string[] = [];
      await loadDataset(await layOutDataset(folder, SMALL_LAYOUT), {
        onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`),
      });
      expect(stages).toEqual([
        'tables 0/4',
        'tables 1/4',
        'tables 2/4',
        'tables 3/4',
        'tables 4/4',
        'headers 3/3',
      ]);
    });
  });
});

describe('Dataset.fingerprint', () => {
  const fingerprintAfter = (change: (folder: string) => Promise<unknown>) =>
    withTemporaryFolder(async (folder) => {
      await layOutDataset(folder, SMALL_LAYOUT);
      await change(folder);
      return (await loadDataset(folder)).fingerprint;
    });

  it('is the same in another folder and with a scan in another subset', async () => {
    const first = await fingerprintAfter(() => Promise.resolve());
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprintAfter(() => Promise.resolve())).toBe(first);
    const moved = await fingerprintAfter(async (folder) => {
      await rename(join(folder, 'c.mhd'), join(folder, 'subset0/c.mhd'));
      await rename(join(folder, 'c.raw'), join(folder, 'subset0/c.raw'));
    });
    expect(moved).toBe(first);
  });

  it('changes with the length of data where the header leaves it open', async () => {
    const withLeadingBytes = (count: number) =>
      fingerprintAfter(async (folder) => {
        const header =
          'NDims = 3\nDimSize = 1 1 1\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\nHeaderSize = -1\n';
        await writeFile(join(folder, 'd.mhd'), `${header}ElementDataFile = d.raw\n`);
        await writeFile(join(folder, 'd.raw'), new Uint8Array(count));
      });
    expect(await withLeadingBytes(9)).not.toBe(await withLeadingBytes(8));
  });

  it('changes with any table, a header, the length of data, and the scans that are there', async () => {
    const fingerprints = [
      await fingerprintAfter(() => Promise.resolve()),
      await fingerprintAfter((folder) => appendFile(join(folder, 'candidates.csv'), '\n')),
      await fingerprintAfter((folder) => appendFile(join(folder, 'annotations.csv'), '\n')),
      await fingerprintAfter((folder) => layOutDataset(folder, { patients: ['a,p'] })),
      await fingerprintAfter((folder) => layOutDataset(folder, { scans: { c: { ...CUBE, depth: 11 } } })),
      await fingerprintAfter((folder) => layOutDataset(folder, { scans: { d: CUBE } })),
      await fingerprintAfter((folder) => truncate(join(folder, 'c.raw'), 5)),
    ];
    expect(new Set(fingerprints).size).toBe(fingerprints.length);
  });
});

const noduleCubes = sharedDataPath('nodule-cubes');

it.skipIf(!noduleCubes)(
  '101 real nodules load and split by patient [needs shared data nodule-cubes]',
  async () => {
    const { candidates, counts, series } = await loadDataset(noduleCubes!);
    expect(series.size).toBe(101);
    expect(counts).toMatchObject({ rows: 700, positives: 101, negatives: 599 });
    expect(candidates.every(({ isNodule, diameterMm }) => !isNodule || diameterMm > 0)).toBe(true);
    const { training, validation, sharedSeriesCount } = splitCandidates(candidates, { by: 'series' });
    expect(training.length + validation.length).toBe(700);
    expect(new Set(validation.map(({ patientId }) => patientId)).size).toBe(11);
    expect(sharedSeriesCount).toBe(0);
  },
);
