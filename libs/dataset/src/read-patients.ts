import { LocalFiles, type FileStore } from '@lunastream/volume';
import { throwDatasetError, type OnDatasetError } from './errors.ts';
import { readCsv } from './read-csv.ts';

/**
 * Reads patients.csv, which says whose series each is, so that a split by patient keeps all series of a person on one
 * side. LUNA16 has no such file: its scans are of different people. Columns seriesuid, patient_id. Faults as in
 * `readCandidates`; a series given twice is one.
 */
export async function readPatients(
  path: string,
  onError: OnDatasetError = throwDatasetError,
  files: FileStore = new LocalFiles(),
): Promise<Map<string, string>> {
  const patientOfSeries = new Map<string, string>();
  await readCsv(path, {
    columns: ['seriesuid', 'patient_id'],
    onError,
    files,
    onRow: (row) => {
      const seriesUid = row.text('seriesuid');
      if (patientOfSeries.has(seriesUid)) throw row.fault('seriesuid', 'must come once');
      patientOfSeries.set(seriesUid, row.text('patient_id'));
    },
  });
  return patientOfSeries;
}
