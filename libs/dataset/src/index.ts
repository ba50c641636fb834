export { sortCandidates, type Candidate, type CandidateRow } from './candidate.ts';
export {
  checkDataset,
  type CheckDatasetOptions,
  type DatasetReport,
  type DatasetReportCounts,
} from './check-dataset.ts';
export type { DatasetProblem, ProblemSeverity } from './dataset-problem.ts';
export {
  DEFAULT_BALANCED_EPOCH_LENGTH,
  epochPlan,
  SAMPLERS,
  type EpochPlanOptions,
  type PlannedCandidate,
  type Sampler,
} from './epoch-plan.ts';
export {
  BadCsvError,
  DatasetError,
  DuplicateSeriesError,
  EpochPlanError,
  MissingDatasetFileError,
  RatioScheduleError,
  SplitError,
  UnknownSeriesError,
  type DatasetErrorKind,
  type OnDatasetError,
} from './errors.ts';
export { describeProblems } from './describe-problems.ts';
export { findSeries } from './find-series.ts';
export { applyLabels, LABELS, type Labels } from './labels.ts';
export { loadDataset, type Dataset, type DatasetCounts, type LoadDatasetOptions } from './load-dataset.ts';
export { createAnnotationMatcher, createDiameterMatcher, type DiameterMatcher } from './match-diameter.ts';
export { mixupPartners, NO_PARTNER, type MixupPartnersOptions } from './mixup-partners.ts';
export type { Exclusion, ExclusionReason } from './place-candidates.ts';
export { formatPredictions, readPredictions, type CandidateResults, type Prediction } from './predictions.ts';
export { compileRatioSchedule, LARGEST_RATIO, type RatioSchedule } from './ratio-schedule.ts';
export { readAnnotations, type Annotation } from './read-annotations.ts';
export { readCandidates } from './read-candidates.ts';
export { MALIGNANCY_TABLE, readMalignancy, type MalignancyAnnotation } from './read-malignancy.ts';
export { readPoints, type Point } from './read-points.ts';
export { readPatients } from './read-patients.ts';
export {
  DEFAULT_VALIDATION_STRIDE,
  splitCandidates,
  type CandidateSplit,
  type SplitOptions,
} from './split-candidates.ts';
export type { BadSeries, DatasetProgress, OnDatasetProgress, SeriesEntry } from './survey-dataset.ts';
