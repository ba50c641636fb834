import type { FileStore } from '@lunastream/volume';
import { posix } from 'node:path';
import { MissingDatasetFileError, type OnDatasetError } from './errors.ts';
import { isAbsentFile, readCsv } from './read-csv.ts';

/**
 * Reads series.csv, columns seriesuid and path: where each scan lies, relative to the data set's folder and within it.
 * Undefined where there is no such file. Faults as in `readCandidates`.
 */
export async function readSeriesList(
  path: string,
  onError: OnDatasetError,
  files: FileStore,
): Promise<(readonly [uid: string, path: string])[] | undefined> {
  const found: (readonly [string, string])[] = [];
  let isThere = true;
  await readCsv(path, {
    columns: ['seriesuid', 'path'],
    files,
    onError: (error) => {
      if (error instanceof MissingDatasetFileError && isAbsentFile(error)) isThere = false;
      else onError(error);
    },
    onRow: (row) => {
      const place = posix.normalize(row.text('path'));
      if (posix.isAbsolute(place) || place.startsWith('..') || /[\\:\0]/.test(place)) {
        throw row.fault('path', "must lie in the data set's folder");
      }
      found.push([row.text('seriesuid'), place]);
    },
  });
  return isThere ? found : undefined;
}
