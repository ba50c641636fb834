export { BEST_SCORES, isBetter, scoreOf, type BestScore } from './best-score.ts';
export {
  bestThresholdByCost,
  bestThresholdByFBeta,
  type BestThreshold,
  type MistakeCosts,
} from './best-threshold.ts';
export {
  countConfusion,
  mergeConfusion,
  type ConfusionCounts,
  type CountedPredictions,
} from './confusion-counts.ts';
export {
  averagePrecision,
  precisionRecallCurve,
  recallAtFalsePositiveRate,
  rocAuc,
  rocCurve,
  type PrecisionRecallPoint,
  type RocPoint,
} from './curves.ts';
export { toEpochRecord, type EpochRecord } from './epoch-record.ts';
export {
  FALSE_POSITIVE_RATE_LIMIT,
  summarizeEpoch,
  type ClassSummary,
  type Degenerate,
  type EpochResults,
  type EpochSummary,
  type Split,
} from './epoch-summary.ts';
export { epochWarnings } from './epoch-warnings.ts';
export { InvalidMetricInputError } from './errors.ts';
export {
  competitionPerformance,
  cpmInterval,
  FROC_RATES,
  frocCurve,
  type BootstrapOptions,
  type CompetitionPerformance,
  type Finding,
  type FrocPoint,
  type ScanFindings,
} from './froc.ts';
export {
  meanInterval,
  precisionInterval,
  recallInterval,
  rocAucInterval,
  type Interval,
  type MeanInterval,
} from './interval.ts';
export {
  epochLogLines,
  epochStartLine,
  taskStartLine,
  type ClassNames,
  type EpochStart,
} from './log-lines.ts';
export { detectOverfitting, overfittingWarning, type Overfitting } from './overfitting.ts';
export { countsAt, rankSamples, type Ranking } from './ranking.ts';
export { ScoreSketch } from './score-sketch.ts';
export {
  accuracy,
  balancedAccuracy,
  emptyDenominator,
  falsePositiveRate,
  fBeta,
  matthewsCorrelation,
  precision,
  recall,
  specificity,
  type ScoreName,
} from './scores.ts';
