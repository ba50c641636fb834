import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANNOTATIONS_HEADER, CANDIDATES_HEADER } from '../test/lay-out-dataset.ts';
import type { DatasetError } from './errors.ts';
import { readAnnotations } from './read-annotations.ts';
import { readCandidates } from './read-candidates.ts';
import { readPatients } from './read-patients.ts';

async function withTable<Result>(text: string, use: (path: string) => Promise<Result>): Promise<Result> {
  return withTemporaryFolder(async (folder) => {
    const path = join(folder, 'table.csv');
    await writeFile(path, text);
    return use(path);
  });
}
const candidatesOf = (...rows: string[]) =>
  withTable([CANDIDATES_HEADER, ...rows].join('\n'), readCandidates);
const annotationsOf = (...rows: string[]) =>
  withTable([ANNOTATIONS_HEADER, ...rows].join('\n'), readAnnotations);

describe('readCandidates()', () => {
  it('reads rows in file order with their lines', async () => {
    expect(await candidatesOf('b,-1.5,2e1,+3,1', 'a,.5,0,7.,0')).toEqual([
      { line: 2, seriesUid: 'b', centerXyzMm: [-1.5, 20, 3], isNodule: true },
      { line: 3, seriesUid: 'a', centerXyzMm: [0.5, 0, 7], isNodule: false },
    ]);
  });

  it('takes a byte order mark, Windows line ends, empty lines, spaces, quotes, and columns in another order', async () => {
    const text =
      '\uFEFFclass, seriesuid,extra,coordZ,coordY,coordX\r\n1,"a",x,3,2,1\r\n\r\n0, b ,y,6, 5,4\r\n\r\n\r\n';
    expect(await withTable(text, readCandidates)).toEqual([
      { line: 2, seriesUid: 'a', centerXyzMm: [1, 2, 3], isNodule: true },
      { line: 4, seriesUid: 'b', centerXyzMm: [4, 5, 6], isNodule: false },
    ]);
  });

  it('reads a table that has only its header as empty', async () => {
    expect(await candidatesOf()).toEqual([]);
  });

  it.each([
    ['a,nan,2,3,1', 'field coordX must be a finite number, got "nan"'],
    ['a,1,inf,3,1', 'field coordY must be a finite number, got "inf"'],
    ['a,1,2,1e999,1', 'field coordZ must be a finite number, got "1e999"'],
    ['a,1,2,,1', 'field coordZ must be a finite number, got ""'],
    ['a,0x10,2,3,1', 'field coordX must be a finite number, got "0x10"'],
    ['a,"1,5",2,3,1', 'field coordX must be a finite number, got "1,5"'],
    ['a,1,2,3,2', 'field class must be 0 or 1, got "2"'],
    ['a,1,2,3,', 'field class must not be empty, got ""'],
    ['a,1,2,3,true', 'field class must be 0 or 1, got "true"'],
    [' ,1,2,3,0', 'field seriesuid must not be empty, got ""'],
    ['a,1,2,3', 'a row must have 5 fields, got 4'],
    ['a,1,2,3,0,9', 'a row must have 5 fields, got 6'],
  ])('refuses the row %j and names its line and field', async (row, rule) => {
    await expect(candidatesOf('a,1,2,3,0', '', row, 'a,1,2,3,0')).rejects.toThrow(`table.csv:4: ${rule}`);
  });

  it('refuses a table without a column it needs, and an empty file', async () => {
    await expect(withTable('seriesuid,coordX,coordY,coordZ\na,1,2,3\n', readCandidates)).rejects.toThrow(
      'table.csv:1: field class must be a column, got "seriesuid,coordX,coordY,coordZ"',
    );
    await expect(withTable('\n\n', readCandidates)).rejects.toThrow(
      'table.csv:1: the table must have a header',
    );
  });

  it('refuses a quote that is never closed, and a line as long as a file', async () => {
    await expect(candidatesOf('a,1,2,3,0', 'a,"1,2,3,0', 'a,1,2,3,0')).rejects.toThrow(
      /table\.csv:\d: the table is malformed/,
    );
    await expect(candidatesOf('x'.repeat(200_000))).rejects.toThrow(/table\.csv:2: the table is malformed/);
  });

  it('names a file that is missing, or a folder', async () => {
    await expect(readCandidates('/nowhere/candidates.csv')).rejects.toThrow(
      'Cannot read /nowhere/candidates.csv: the file must exist',
    );
    await withTemporaryFolder(async (folder) => {
      await expect(readCandidates(folder)).rejects.toThrow('it must be a file');
    });
  });

  it('goes on behind a fault when its caller does, and leaves the row out', async () => {
    const text = [CANDIDATES_HEADER, 'a,1,2,3,0', 'a,x,2,3,0', 'a,1,2', 'a,4,5,6,1'].join('\n');
    await withTable(text, async (path) => {
      const faults: DatasetError[] = [];
      const rows = await readCandidates(path, (error) => faults.push(error));
      expect(rows.map(({ line }) => line)).toEqual([2, 5]);
      expect(faults).toMatchObject([
        { tag: 'BadCsvError', line: 3, field: 'coordX' },
        { tag: 'BadCsvError', line: 4, field: undefined },
      ]);
    });
  });

  it('hands a fault to its caller once, and stops with what the caller throws', async () => {
    await withTable([CANDIDATES_HEADER, 'a,x,2,3,0', 'a,y,2,3,0'].join('\n'), async (path) => {
      const lines: unknown[] = [];
      // With a code, as the file system's errors have: it must not be taken for one of reading the table.
      const stop = Object.assign(new Error('enough'), { code: 'ENOSPC' });
      const reading = readCandidates(path, (error) => {
        lines.push(error);
        throw stop;
      });
      await expect(reading).rejects.toBe(stop);
      expect(lines.length).toBe(1);
    });
  });

  it('reports a table without its columns once, not once a row', async () => {
    await withTable('a,b\n1,2\n3,4\n', async (path) => {
      const faults: DatasetError[] = [];
      expect(await readCandidates(path, (error) => faults.push(error))).toEqual([]);
      expect(faults.length).toBe(1);
    });
  });

  const lunaCsv = sharedDataPath('luna-csv');
  it.skipIf(!lunaCsv)('reads 27 rows of LUNA16 itself [needs shared data luna-csv]', async () => {
    const rows = await readCandidates(join(lunaCsv!, 'candidates_part_27rows.csv'));
    expect(rows.length).toBe(27);
    expect(rows[0]!.centerXyzMm).toEqual([-91.2889907452, -6.79332126973, -218.642696739]);
  });
});

describe('readAnnotations()', () => {
  it('reads rows in file order', async () => {
    expect(await annotationsOf('b,1,2,3,5.65', 'a,1,2,3,0')).toEqual([
      { seriesUid: 'b', centerXyzMm: [1, 2, 3], diameterMm: 5.65 },
      { seriesUid: 'a', centerXyzMm: [1, 2, 3], diameterMm: 0 },
    ]);
  });

  it('refuses a negative diameter', async () => {
    await expect(annotationsOf('a,1,2,3,-1')).rejects.toThrow(
      'table.csv:2: field diameter_mm must not be negative, got "-1"',
    );
  });

  const lunaCsv = sharedDataPath('luna-csv');
  it.skipIf(!lunaCsv)("reads LUNA16's 1186 nodules of 601 series [needs shared data luna-csv]", async () => {
    const annotations = await readAnnotations(join(lunaCsv!, 'annotations.csv'));
    const diameters = annotations.map(({ diameterMm }) => diameterMm);
    expect(annotations.length).toBe(1186);
    expect(new Set(annotations.map(({ seriesUid }) => seriesUid)).size).toBe(601);
    expect(Math.min(...diameters)).toBeCloseTo(3.253, 3);
    expect(Math.max(...diameters)).toBeCloseTo(32.27, 3);
  });

  it.skipIf(!lunaCsv)(
    'reads the table with malignancy columns as well [needs shared data luna-csv]',
    async () => {
      expect((await readAnnotations(join(lunaCsv!, 'annotations_with_malignancy.csv'))).length).toBe(1182);
    },
  );
});

describe('readPatients()', () => {
  it('maps series to patients and refuses a series that comes twice', async () => {
    const header = 'seriesuid,patient_id';
    expect(await withTable(`${header}\na,p1\nb,p1\n`, readPatients)).toEqual(
      new Map([
        ['a', 'p1'],
        ['b', 'p1'],
      ]),
    );
    await expect(withTable(`${header}\na,p1\na,p2\n`, readPatients)).rejects.toThrow(
      'table.csv:3: field seriesuid must come once, got "a"',
    );
  });
});
