import type { Candidate } from './candidate.ts';
import { throwDatasetError, UnknownSeriesError } from './errors.ts';
import { placeCandidates, type Exclusion } from './place-candidates.ts';
import { LocalFiles, type FileStore } from '@lunastream/volume';
import { surveyDataset, type BadSeries, type OnDatasetProgress, type SeriesEntry } from './survey-dataset.ts';

/** How many rows and scans there are, and what became of them. */
export interface DatasetCounts {
  /** Rows of candidates.csv, of the chosen series where one was chosen. */
  readonly rows: number;
  /** Usable candidates: `positives` plus `negatives`. */
  readonly candidates: number;
  readonly positives: number;
  readonly negatives: number;
  readonly missingScan: number;
  readonly outsideScan: number;
  readonly badHeader: number;
}

export interface Dataset {
  /** Folder or address of the data set, for messages. */
  readonly dir: string;
  /**
   * SHA-256, hexadecimal, over the bytes of the tables and, for each scan, its uid, header and the size of its data file. Equal
   * fingerprints mean equal tables and scans, wherever the folder lies and however its subsets are cut; voxels of equal
   * length that differ are not seen (reading 120 GB at each start would be the price). It names the folder's data, so
   * it does not depend on `seriesUid`.
   */
  readonly fingerprint: string;
  /** Usable scans by series uid. */
  readonly series: ReadonlyMap<string, SeriesEntry>;
  /** Scans that cannot be used, each with its reason. */
  readonly badSeries: readonly BadSeries[];
  /** Usable candidates in the book's order: label, diameter, series uid, centre, all descending. */
  readonly candidates: readonly Candidate[];
  /** Rows that cannot be used, in file order. */
  readonly exclusions: readonly Exclusion[];
  readonly counts: DatasetCounts;
}

export interface LoadDatasetOptions {
  /** Keep the candidates of this series only. */
  readonly seriesUid?: string;
  readonly onProgress?: OnDatasetProgress;
  /** Where the data set lies; default the files of this machine. */
  readonly files?: FileStore;
}

function countAll(candidates: readonly Candidate[], exclusions: readonly Exclusion[]): DatasetCounts {
  const excluded = { 'missing-scan': 0, 'outside-scan': 0, 'bad-header': 0 };
  for (const { reason } of exclusions) excluded[reason]++;
  const positives = candidates.reduce((count, { isNodule }) => count + Number(isNodule), 0);
  return {
    rows: candidates.length + exclusions.length,
    candidates: candidates.length,
    positives,
    negatives: candidates.length - positives,
    missingScan: excluded['missing-scan'],
    outsideScan: excluded['outside-scan'],
    badHeader: excluded['bad-header'],
  };
}

/**
 * Loads a LUNA16 folder: candidates.csv, annotations.csv, optionally patients.csv (columns seriesuid, patient_id), and
 * the headers of its scans (`findSeries`). No voxel is read. Rows without a usable scan are excluded and counted.
 * @throws MissingDatasetFileError when the folder, candidates.csv or annotations.csv is missing; BadCsvError for the
 * first bad value of a table; DuplicateSeriesError; UnknownSeriesError when `seriesUid` is no usable scan.
 */
export async function loadDataset(dir: string, options: LoadDatasetOptions = {}): Promise<Dataset> {
  const { seriesUid, files = new LocalFiles() } = options;
  const survey = await surveyDataset(dir, throwDatasetError, { ...options, files });
  if (seriesUid !== undefined && !survey.series.has(seriesUid)) {
    throw new UnknownSeriesError(seriesUid, files.nameOf(dir), survey.badSeries.get(seriesUid)?.reason);
  }
  const isChosen = (uid: string) => seriesUid === undefined || uid === seriesUid;
  const { candidates, exclusions } = placeCandidates({
    ...survey,
    rows: survey.rows.filter((row) => isChosen(row.seriesUid)),
  });
  return {
    dir: files.nameOf(dir),
    fingerprint: survey.fingerprint,
    series: new Map([...survey.series].filter(([uid]) => isChosen(uid))),
    badSeries: [...survey.badSeries.values()].filter((bad) => isChosen(bad.seriesUid)),
    candidates,
    exclusions,
    counts: countAll(candidates, exclusions),
  };
}
