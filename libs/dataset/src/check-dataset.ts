import {
  BadImageError,
  LocalFiles,
  MissingImageError,
  xyzToIrc,
  type FileStore,
  type Shape,
} from '@lunastream/volume';
import {
  badSeriesProblem,
  missingScanProblem,
  moreCsvFaultsProblem,
  noCandidatesProblem,
  outsideScanProblem,
  problemOfError,
  sharedSeriesProblem,
  thinScanProblem,
  type DatasetProblem,
} from './dataset-problem.ts';
import { BadCsvError, DatasetError, SplitError } from './errors.ts';
import { placeCandidates, type PlacedCandidates } from './place-candidates.ts';
import { splitCandidates } from './split-candidates.ts';
import {
  surveyDataset,
  type BadSeries,
  type DatasetSurvey,
  type OnDatasetProgress,
} from './survey-dataset.ts';

/** Rows count what the tables say; candidates count what can be trained on. */
export interface DatasetReportCounts {
  readonly rows: number;
  readonly rowPositives: number;
  readonly rowNegatives: number;
  readonly candidates: number;
  readonly positives: number;
  readonly negatives: number;
  /** Usable positives that no annotation gives a diameter. */
  readonly positivesWithoutDiameter: number;
  readonly annotations: number;
  /** Scans in the folder: usable, and not. */
  readonly usableSeries: number;
  readonly badSeries: number;
  /** Series with candidates and no scan. */
  readonly missingSeries: number;
}

export interface DatasetReport {
  readonly dir: string;
  readonly counts: DatasetReportCounts;
  /** Of all rows, as the book counts (407 for LUNA16); undefined without positives. */
  readonly negativesPerPositive: number | undefined;
  /** Series on both sides of a split by candidate; undefined when there are too few candidates to split. */
  readonly sharedSeriesCount: number | undefined;
  /** Files first, then scans, then candidates in file order. */
  readonly problems: readonly DatasetProblem[];
}

export interface CheckDatasetOptions {
  /** Scans thinner than this on any axis are reported. Default 32x48x48, the book's. */
  readonly chunkShape?: Shape;
  readonly onProgress?: OnDatasetProgress;
  /** Where the data set lies; default the files of this machine. */
  readonly files?: FileStore;
}

const BOOK_CHUNK_SHAPE: Shape = { depth: 32, height: 48, width: 48 };
// A table with the wrong column order has a fault on each of 551,065 lines; nobody reads more than these.
const LISTED_FAULTS_PER_TABLE = 1000;

/** Collects faults as problems: all missing files and doubled scans, the first thousand faults of each table. */
class ProblemCollector {
  readonly #problems: DatasetProblem[] = [];
  readonly #faultsOfTable = new Map<string, number>();

  readonly add = (error: DatasetError): void => {
    if (error instanceof BadCsvError) {
      const count = (this.#faultsOfTable.get(error.path) ?? 0) + 1;
      this.#faultsOfTable.set(error.path, count);
      if (count > LISTED_FAULTS_PER_TABLE) return;
    }
    this.#problems.push(problemOfError(error));
  };

  toProblems(): DatasetProblem[] {
    const unlisted = [...this.#faultsOfTable]
      .filter(([, count]) => count > LISTED_FAULTS_PER_TABLE)
      .map(([path, count]) => moreCsvFaultsProblem(path, count - LISTED_FAULTS_PER_TABLE));
    return [...this.#problems, ...unlisted];
  }
}

function isHeaderBad({ path, reason }: BadSeries): boolean {
  if (reason instanceof BadImageError) return reason.part === 'header';
  // A missing file that is not the header is the data file it names.
  return reason instanceof MissingImageError && reason.path === path;
}

function isThin(shape: Shape, chunkShape: Shape): boolean {
  return shape.depth < chunkShape.depth || shape.height < chunkShape.height || shape.width < chunkShape.width;
}

function problemsOfScans(survey: DatasetSurvey, chunkShape: Shape): DatasetProblem[] {
  const bad = [...survey.badSeries.values()].map((series) => badSeriesProblem(series, isHeaderBad(series)));
  const thin = [...survey.series.values()]
    .filter(({ geometry }) => isThin(geometry.shape, chunkShape))
    .map((entry) => thinScanProblem(entry, chunkShape));
  return [...bad, ...thin];
}

function countMissing({ exclusions }: PlacedCandidates): Map<string, number> {
  const candidatesOfSeries = new Map<string, number>();
  for (const { row, reason } of exclusions) {
    if (reason !== 'missing-scan') continue;
    candidatesOfSeries.set(row.seriesUid, (candidatesOfSeries.get(row.seriesUid) ?? 0) + 1);
  }
  return candidatesOfSeries;
}

function problemsOfPlaces(survey: DatasetSurvey, { exclusions }: PlacedCandidates): DatasetProblem[] {
  return exclusions
    .filter(({ reason }) => reason === 'outside-scan')
    .map(({ row: { line, seriesUid, centerXyzMm } }) => {
      const { geometry } = survey.series.get(seriesUid)!;
      return outsideScanProblem({
        path: survey.candidatesPath,
        line,
        seriesUid,
        centerXyzMm,
        centerIrc: xyzToIrc(geometry, centerXyzMm),
        shape: geometry.shape,
      });
    });
}

function countSharedSeries({ candidates }: PlacedCandidates): number | undefined {
  try {
    return splitCandidates(candidates, { by: 'candidate' }).sharedSeriesCount;
  } catch (error) {
    if (error instanceof SplitError) return undefined;
    throw error;
  }
}

function countAll(
  survey: DatasetSurvey,
  { candidates }: PlacedCandidates,
  missingSeries: number,
): DatasetReportCounts {
  const count = <Item>(items: readonly Item[], isCounted: (item: Item) => boolean) =>
    items.reduce((sum, item) => sum + Number(isCounted(item)), 0);
  const rowPositives = count(survey.rows, ({ isNodule }) => isNodule);
  const positives = count(candidates, ({ isNodule }) => isNodule);
  return {
    rows: survey.rows.length,
    rowPositives,
    rowNegatives: survey.rows.length - rowPositives,
    candidates: candidates.length,
    positives,
    negatives: candidates.length - positives,
    positivesWithoutDiameter: count(candidates, ({ isNodule, diameterMm }) => isNodule && diameterMm === 0),
    annotations: survey.annotations.length,
    usableSeries: survey.series.size,
    badSeries: survey.badSeries.size,
    missingSeries,
  };
}

function reportOf(dir: string, survey: DatasetSurvey, chunkShape: Shape): DatasetReport {
  const placed = placeCandidates(survey);
  const missing = countMissing(placed);
  const counts = countAll(survey, placed, missing.size);
  const sharedSeriesCount = countSharedSeries(placed);
  return {
    dir,
    counts,
    negativesPerPositive: counts.rowPositives === 0 ? undefined : counts.rowNegatives / counts.rowPositives,
    sharedSeriesCount,
    problems: [
      ...problemsOfScans(survey, chunkShape),
      ...[...missing].map(([seriesUid, candidateCount]) => missingScanProblem(seriesUid, candidateCount)),
      ...problemsOfPlaces(survey, placed),
      ...(sharedSeriesCount ? [sharedSeriesProblem(sharedSeriesCount)] : []),
      ...(counts.candidates === 0 ? [noCandidatesProblem(dir)] : []),
    ],
  };
}

/** What a survey finds in a folder that does not exist. */
function emptySurvey(): DatasetSurvey {
  return {
    candidatesPath: '',
    rows: [],
    annotations: [],
    malignancy: [],
    series: new Map(),
    badSeries: new Map(),
    fingerprint: '',
  };
}

/**
 * Checks a LUNA16 folder in one pass over its tables, headers and file lengths (no voxel is read), and reports whatever
 * it finds as data: it rejects only for a bug, never for what is in the folder.
 */
export async function checkDataset(dir: string, options: CheckDatasetOptions = {}): Promise<DatasetReport> {
  const collector = new ProblemCollector();
  const survey = await surveyDataset(dir, collector.add, options).catch((error: unknown) => {
    if (!(error instanceof DatasetError)) throw error;
    collector.add(error);
    return emptySurvey();
  });
  const report = reportOf(
    (options.files ?? new LocalFiles()).nameOf(dir),
    survey,
    options.chunkShape ?? BOOK_CHUNK_SHAPE,
  );
  return { ...report, problems: [...collector.toProblems(), ...report.problems] };
}
