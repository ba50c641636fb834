export { BEST_SCORES, isBetter, scoreOf, scoreOfRecord, type BestScore } from './best-score.ts';
export {
  countConfusion,
  mergeConfusion,
  type ConfusionCounts,
  type CountedPredictions,
} from './confusion-counts.ts';
export { toEpochRecord, type EpochRecord } from './epoch-record.ts';
export {
  summarizeEpoch,
  type ClassSummary,
  type Degenerate,
  type EpochResults,
  type EpochSummary,
  type Split,
} from './epoch-summary.ts';
export { epochWarnings } from './epoch-warnings.ts';
export { InvalidMetricInputError } from './errors.ts';
export { epochLogLines, epochStartLine, taskStartLine, type EpochStart } from './log-lines.ts';
export { averagePrecision, rocAuc } from './ranking.ts';
export {
  accuracy,
  emptyDenominator,
  falsePositiveRate,
  fBeta,
  precision,
  recall,
  specificity,
  type ScoreName,
} from './scores.ts';
