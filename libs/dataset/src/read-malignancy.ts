import { LocalFiles, xyzMm, type FileStore } from '@lunastream/volume';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import type { Annotation } from './read-annotations.ts';
import { readCsv } from './read-csv.ts';

/** The table that says which nodules are malignant, beside annotations.csv; a data set may have none. */
export const MALIGNANCY_TABLE = 'annotations_with_malignancy.csv';

const COLUMNS = ['seriesuid', 'coordX', 'coordY', 'coordZ', 'diameter_mm', 'mal_bool'] as const;

/** A nodule of which radiologists said whether it is malignant. */
export interface MalignancyAnnotation extends Annotation {
  readonly isMalignant: boolean;
}

/**
 * Reads the table that the book's second half adds to LUNA16: `mal_bool` is True or False, other columns are ignored.
 * Coordinates and diameter in mm. Faults as in `readCandidates`.
 */
export async function readMalignancy(
  path: string,
  onError: OnDatasetError = throwDatasetError,
  files: FileStore = new LocalFiles(),
): Promise<MalignancyAnnotation[]> {
  const annotations: MalignancyAnnotation[] = [];
  await readCsv(path, {
    columns: COLUMNS,
    onError,
    files,
    onRow: (row) => {
      const diameterMm = row.number('diameter_mm');
      if (diameterMm < 0) throw row.fault('diameter_mm', 'must not be negative');
      const malignant = row.text('mal_bool');
      if (malignant !== 'True' && malignant !== 'False') {
        throw row.fault('mal_bool', 'must be True or False');
      }
      annotations.push({
        seriesUid: row.text('seriesuid'),
        centerXyzMm: xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ')),
        diameterMm,
        isMalignant: malignant === 'True',
      });
    },
  });
  return annotations;
}
