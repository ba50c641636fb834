import { xyzMm, type XyzMm } from '@lunastream/volume';
import { throwDatasetError } from './errors.ts';
import { readCsv } from './read-csv.ts';

/** A place in a scan that somebody wants to know about. */
export interface Point {
  /** Line of the table, from 1. */
  readonly line: number;
  readonly centerXyzMm: XyzMm;
}

/**
 * Reads the columns coordX, coordY and coordZ (mm) of a table, in its order; other columns are ignored.
 * @throws BadCsvError naming file, line and field, MissingDatasetFileError.
 */
export async function readPoints(path: string): Promise<Point[]> {
  const points: Point[] = [];
  await readCsv(path, {
    columns: ['coordX', 'coordY', 'coordZ'],
    onError: throwDatasetError,
    onRow: (row) => {
      const centerXyzMm = xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ'));
      points.push({ line: row.line, centerXyzMm });
    },
  });
  return points;
}
