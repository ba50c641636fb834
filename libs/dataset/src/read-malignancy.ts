import { LocalFiles, type FileStore } from '@lunastream/volume';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import { ANNOTATION_COLUMNS, annotationOf, type Annotation } from './read-annotations.ts';
import { readCsv } from './read-csv.ts';

/** The table that says which nodules are malignant, beside annotations.csv; a data set may have none. */
export const MALIGNANCY_TABLE = 'annotations_with_malignancy.csv';

const COLUMNS = [...ANNOTATION_COLUMNS, 'mal_bool'] as const;

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
      const malignant = row.text('mal_bool');
      if (malignant !== 'True' && malignant !== 'False') {
        throw row.fault('mal_bool', 'must be True or False');
      }
      annotations.push({ ...annotationOf(row), isMalignant: malignant === 'True' });
    },
  });
  return annotations;
}
