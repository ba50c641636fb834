import { LocalFiles, xyzMm, type FileStore, type XyzMm } from '@lunastream/volume';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import { readCsv, type CsvRow } from './read-csv.ts';

/** Columns of every table of nodules. */
export const ANNOTATION_COLUMNS = ['seriesuid', 'coordX', 'coordY', 'coordZ', 'diameter_mm'] as const;

/** A row of annotations.csv: a nodule that radiologists agreed on. */
export interface Annotation {
  readonly seriesUid: string;
  readonly centerXyzMm: XyzMm;
  readonly diameterMm: number;
}

/**
 * Reads LUNA16's annotations.csv in file order. Coordinates and diameter in mm; a diameter may be 0 but not negative
 * (LUNA16 marks excluded findings, another list, by -1). Faults as in `readCandidates`.
 */
export async function readAnnotations(
  path: string,
  onError: OnDatasetError = throwDatasetError,
  files: FileStore = new LocalFiles(),
): Promise<Annotation[]> {
  const annotations: Annotation[] = [];
  await readCsv(path, {
    columns: ANNOTATION_COLUMNS,
    onError,
    files,
    onRow: (row) => void annotations.push(annotationOf(row)),
  });
  return annotations;
}

/** The nodule of a row. @throws a fault of the row that names the column. */
export function annotationOf(
  row: Pick<CsvRow<(typeof ANNOTATION_COLUMNS)[number]>, 'text' | 'number' | 'fault'>,
): Annotation {
  const diameterMm = row.number('diameter_mm');
  if (diameterMm < 0) throw row.fault('diameter_mm', 'must not be negative');
  return {
    seriesUid: row.text('seriesuid'),
    centerXyzMm: xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ')),
    diameterMm,
  };
}
