/**
 * Reads everything a dataset folder says apart from voxels: its tables, which scans it has, and what their headers say.
 * `loadDataset` accepts no fault of the tables, `checkDataset` collects all; both start here, so they agree.
 */
import {
  inspectVolume,
  LocalFiles,
  MissingImageError,
  VolumeError,
  type FileStore,
  type VolumeGeometry,
} from '@lunastream/volume';
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { CandidateRow } from './candidate.ts';
import { MissingDatasetFileError, type OnDatasetError } from './errors.ts';
import { findSeries } from './find-series.ts';
import { readAnnotations, type Annotation } from './read-annotations.ts';
import { readCandidates } from './read-candidates.ts';
import { isAbsentFile, readFileBlocks } from './read-csv.ts';
import { MALIGNANCY_TABLE, readMalignancy, type MalignancyAnnotation } from './read-malignancy.ts';
import { readPatients } from './read-patients.ts';

/** How far reading has come. `tables` counts files, `headers` counts scans. */
export interface DatasetProgress {
  readonly stage: 'tables' | 'headers';
  readonly done: number;
  readonly total: number;
}

export type OnDatasetProgress = (progress: DatasetProgress) => void;

export interface SurveyOptions {
  /** Where the data set lies; default the files of this machine. */
  readonly files?: FileStore;
  readonly onProgress?: OnDatasetProgress;
}

/** A scan whose header is right and whose data have the length it says. */
export interface SeriesEntry {
  readonly seriesUid: string;
  readonly patientId: string;
  /** What `openVolume` takes: a path or an address. */
  readonly path: string;
  readonly geometry: VolumeGeometry;
  /** Tells the files' content from any other, also where the fingerprint cannot: see `ByteSource.revision`. */
  readonly revision: string;
  /** Windows are read from the files as they are; where they are not, a local copy pays. */
  readonly isWindowed: boolean;
}

/** A scan that cannot be used. */
export interface BadSeries {
  readonly seriesUid: string;
  readonly path: string;
  /** What is wrong, naming file and field. */
  readonly reason: VolumeError;
}

export interface DatasetSurvey {
  readonly candidatesPath: string;
  readonly rows: readonly CandidateRow[];
  readonly annotations: readonly Annotation[];
  /** Empty where the data set has no such table. */
  readonly malignancy: readonly MalignancyAnnotation[];
  /** Scans that can be used, by series uid, in the order of their uids. */
  readonly series: ReadonlyMap<string, SeriesEntry>;
  readonly badSeries: ReadonlyMap<string, BadSeries>;
  /** SHA-256, hexadecimal: see `Dataset.fingerprint`. */
  readonly fingerprint: string;
}

interface Inspected {
  readonly entry: SeriesEntry | BadSeries;
  /** What identifies the scan's content in the fingerprint. */
  readonly identity: readonly unknown[];
}

/** What a survey works with. */
interface SurveyParts {
  readonly files: FileStore;
  readonly onError: OnDatasetError;
  readonly onProgress: OnDatasetProgress;
}

// Enough to hide the latency of a network disk without holding many files open.
const HEADERS_IN_FLIGHT = 16;

async function hashFile(path: string, files: FileStore): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(readFileBlocks(path, files), hash);
  } catch (error) {
    if (!(error instanceof MissingImageError)) throw error;
    return undefined;
  }
  return hash.digest('hex');
}

async function inspect(
  { seriesUid, path, patientId }: { seriesUid: string; path: string; patientId: string },
  files: FileStore,
): Promise<Inspected> {
  try {
    const { headerText, dataFileSizeBytes, geometry, revision, isWindowed } = await inspectVolume(path, {
      files,
    });
    return {
      entry: { seriesUid, patientId, path, geometry, revision, isWindowed },
      identity: [seriesUid, headerText, dataFileSizeBytes],
    };
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    return { entry: { seriesUid, path, reason: error }, identity: [seriesUid] };
  }
}

async function inspectAll(
  paths: ReadonlyMap<string, string>,
  patientOfSeries: ReadonlyMap<string, string>,
  { files, onProgress }: SurveyParts,
): Promise<Inspected[]> {
  const uids = [...paths.keys()];
  const inspected: Inspected[] = [];
  for (let first = 0; first < uids.length; first += HEADERS_IN_FLIGHT) {
    const group = uids.slice(first, first + HEADERS_IN_FLIGHT);
    const entries = group.map((seriesUid) => {
      const patientId = patientOfSeries.get(seriesUid) ?? seriesUid;
      return inspect({ seriesUid, path: paths.get(seriesUid)!, patientId }, files);
    });
    inspected.push(...(await Promise.all(entries)));
    onProgress({ stage: 'headers', done: inspected.length, total: uids.length });
  }
  return inspected;
}

function fingerprintOf(
  tableHashes: readonly (string | undefined)[],
  inspected: readonly Inspected[],
): string {
  const hash = createHash('sha256');
  // JSON lines: no two different datasets give the same text, whatever their headers hold.
  hash.update(`${JSON.stringify(tableHashes.map((digest) => digest ?? null))}\n`);
  for (const { identity } of inspected) hash.update(`${JSON.stringify(identity)}\n`);
  return hash.digest('hex');
}

/** Reads the tables; those of patients and of malignancy may be missing. */
async function readTables(dir: string, { files, onError, onProgress }: SurveyParts) {
  const names = ['candidates.csv', 'annotations.csv', 'patients.csv', MALIGNANCY_TABLE];
  const paths = names.map((name) => files.inside(dir, name)) as [string, string, string, string];
  const [candidatesPath, annotationsPath, patientsPath, malignancyPath] = paths;
  const advance = (done: number) => onProgress({ stage: 'tables', done, total: paths.length });
  advance(0);
  const rows = await readCandidates(candidatesPath, onError, files);
  advance(1);
  const annotations = await readAnnotations(annotationsPath, onError, files);
  advance(2);
  const unlessAbsent: OnDatasetError = (error) => {
    if (!(error instanceof MissingDatasetFileError && isAbsentFile(error))) onError(error);
  };
  const patientOfSeries = await readPatients(patientsPath, unlessAbsent, files);
  advance(3);
  const malignancy = await readMalignancy(malignancyPath, unlessAbsent, files);
  advance(4);
  const [malignancyHash, ...others] = await Promise.all(
    [malignancyPath, candidatesPath, annotationsPath, patientsPath].map((path) => hashFile(path, files)),
  );
  // Data sets from before there was this table keep their fingerprint.
  const hashes = malignancyHash === undefined ? others : [...others, malignancyHash];
  const tables = { rows, annotations, malignancy, patientOfSeries };
  return { candidatesPath: files.nameOf(candidatesPath), ...tables, hashes };
}

/**
 * Surveys the LUNA16 folder at `dir`. Faults of tables and doubled scans go to `onError`; where it returns, what is at
 * fault is left out. Bad scans are part of the result.
 * @throws MissingDatasetFileError when `dir` is no readable folder; whatever `onError` throws.
 */
export async function surveyDataset(
  dir: string,
  onError: OnDatasetError,
  { files = new LocalFiles(), onProgress = () => undefined }: SurveyOptions = {},
): Promise<DatasetSurvey> {
  const parts = { files, onError, onProgress };
  const paths = await findSeries(dir, onError, files);
  const { candidatesPath, rows, annotations, malignancy, patientOfSeries, hashes } = await readTables(
    dir,
    parts,
  );
  const inspected = await inspectAll(paths, patientOfSeries, parts);
  const series = new Map<string, SeriesEntry>();
  const badSeries = new Map<string, BadSeries>();
  for (const { entry } of inspected) {
    if ('reason' in entry) badSeries.set(entry.seriesUid, entry);
    else series.set(entry.seriesUid, entry);
  }
  const fingerprint = fingerprintOf(hashes, inspected);
  return { candidatesPath, rows, annotations, malignancy, series, badSeries, fingerprint };
}
