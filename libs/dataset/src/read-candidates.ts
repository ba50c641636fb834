import { LocalFiles, xyzMm, type FileStore } from '@lunastream/volume';
import type { CandidateRow } from './candidate.ts';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import { readCsv } from './read-csv.ts';

const COLUMNS = ['seriesuid', 'coordX', 'coordY', 'coordZ', 'class'] as const;

/**
 * Reads LUNA16's candidates.csv (551,065 rows in the full set) in file order. Coordinates in mm, class 0 or 1.
 * Faults go to `onError`, which by default throws the first: BadCsvError naming file, line and field, or
 * MissingDatasetFileError. When `onError` returns, the row is left out.
 */
export async function readCandidates(
  path: string,
  onError: OnDatasetError = throwDatasetError,
  files: FileStore = new LocalFiles(),
): Promise<CandidateRow[]> {
  const rows: CandidateRow[] = [];
  // One string per series instead of one per row: 600 candidates share each.
  const uids = new Map<string, string>();
  await readCsv(path, {
    columns: COLUMNS,
    onError,
    files,
    onRow: (row) => {
      const uid = row.text('seriesuid');
      const centerXyzMm = xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ'));
      const label = row.text('class');
      if (label !== '0' && label !== '1') throw row.fault('class', 'must be 0 or 1');
      const seriesUid = uids.get(uid) ?? uid;
      uids.set(seriesUid, seriesUid);
      rows.push({ line: row.line, seriesUid, centerXyzMm, isNodule: label === '1' });
    },
  });
  return rows;
}
