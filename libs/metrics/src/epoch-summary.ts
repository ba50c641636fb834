import { assertSamples, countConfusion, isPositiveLabel, type ConfusionCounts } from './confusion-counts.ts';
import { averagePrecision, recallAtFalsePositiveRate, rocAuc } from './curves.ts';
import { rankSamples } from './ranking.ts';
import { fBeta, precision, recall } from './scores.ts';

/** The chapter's names of the two splits, as they stand in its log lines. */
export type Split = 'trn' | 'val';

/**
 * The false positive rate at which recall is told after every epoch: one in a hundred of what is no nodule, some five calls
 * a scan on LUNA16's 600 candidates a scan.
 */
export const FALSE_POSITIVE_RATE_LIMIT = 0.01;

/** One class, or both, of one split. */
export interface ClassSummary {
  /** Mean cross entropy in nats. Undefined without samples, or when a loss is not finite. */
  readonly loss: number | undefined;
  /** Samples called right. */
  readonly correct: number;
  /** All samples, those with non-finite probabilities included: they are not correct. */
  readonly count: number;
}

/** A model that gives one answer for everything has learnt nothing, whatever its accuracy. */
export type Degenerate = 'all-negative' | 'all-positive';

/** One epoch of one split. A score that is 0/0 is undefined. */
export interface EpochSummary {
  readonly epoch: number;
  readonly split: Split;
  /** A probability above it is a call "nodule". */
  readonly threshold: number;
  readonly counts: ConfusionCounts;
  /** Samples left out of `counts` and the two areas, because their probability is NaN or infinite. */
  readonly nonFinite: number;
  readonly all: ClassSummary;
  readonly negative: ClassSummary;
  readonly positive: ClassSummary;
  readonly precision: number | undefined;
  readonly recall: number | undefined;
  readonly f1: number | undefined;
  readonly f2: number | undefined;
  readonly f05: number | undefined;
  /** Average precision. */
  readonly prAuc: number | undefined;
  readonly rocAuc: number | undefined;
  /** The highest recall that a threshold reaches at a false positive rate of at most FALSE_POSITIVE_RATE_LIMIT. */
  readonly recallAtFpr: number | undefined;
  /** Set when every call is the same although samples of the other class are there. */
  readonly degenerate: Degenerate | undefined;
}

/** What an epoch of one split left behind: one label, P(nodule) and loss per sample, in the same order. */
export interface EpochResults {
  readonly epoch: number;
  readonly split: Split;
  readonly labels: ArrayLike<number>;
  readonly probabilities: ArrayLike<number>;
  readonly losses: ArrayLike<number>;
  readonly threshold: number;
}

function meanLoss(
  { labels, losses }: EpochResults,
  isCounted: (label: number) => boolean,
): number | undefined {
  let sum = 0;
  let count = 0;
  for (let sample = 0; sample < labels.length; sample++) {
    if (!isCounted(labels[sample]!)) continue;
    sum += losses[sample]!;
    count++;
  }
  const mean = sum / count;
  return Number.isFinite(mean) ? mean : undefined;
}

function degenerateKind(counts: ConfusionCounts): Degenerate | undefined {
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = counts;
  if (truePositives + falsePositives === 0 && falseNegatives > 0) return 'all-negative';
  if (trueNegatives + falseNegatives === 0 && falsePositives > 0) return 'all-positive';
  return undefined;
}

/**
 * Everything that is reported about one epoch of one split.
 * @throws InvalidMetricInputError when the arrays differ in length, or a label or the threshold is not in 0..1.
 */
export function summarizeEpoch(results: EpochResults): EpochSummary {
  const { epoch, split, labels, probabilities, losses, threshold } = results;
  assertSamples('summarize an epoch', labels, losses);
  const { counts, nonFinite } = countConfusion(labels, probabilities, threshold);
  const { truePositives, trueNegatives } = counts;
  const ranking = rankSamples(labels, probabilities);
  const positiveCount = Array.from(labels).filter(isPositiveLabel).length;
  return {
    epoch,
    split,
    threshold,
    counts,
    nonFinite,
    all: {
      loss: meanLoss(results, () => true),
      correct: truePositives + trueNegatives,
      count: labels.length,
    },
    negative: {
      loss: meanLoss(results, (label) => !isPositiveLabel(label)),
      correct: trueNegatives,
      count: labels.length - positiveCount,
    },
    positive: {
      loss: meanLoss(results, isPositiveLabel),
      correct: truePositives,
      count: positiveCount,
    },
    precision: precision(counts),
    recall: recall(counts),
    f1: fBeta(counts, 1),
    f2: fBeta(counts, 2),
    f05: fBeta(counts, 0.5),
    prAuc: averagePrecision(ranking),
    rocAuc: rocAuc(ranking),
    recallAtFpr: recallAtFalsePositiveRate(ranking, FALSE_POSITIVE_RATE_LIMIT)?.recall,
    degenerate: degenerateKind(counts),
  };
}
