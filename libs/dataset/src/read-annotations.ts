import { LocalFiles, xyzMm, type FileStore, type XyzMm } from '@lunastream/volume';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import { readCsv } from './read-csv.ts';

const COLUMNS = ['seriesuid', 'coordX', 'coordY', 'coordZ', 'diameter_mm'] as const;

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
    columns: COLUMNS,
    onError,
    files,
    onRow: (row) => {
      const diameterMm = row.number('diameter_mm');
      if (diameterMm < 0) throw row.fault('diameter_mm', 'must not be negative');
      annotations.push({
        seriesUid: row.text('seriesuid'),
        centerXyzMm: xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ')),
        diameterMm,
      });
    },
  });
  return annotations;
}
