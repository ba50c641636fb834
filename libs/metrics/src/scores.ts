/**
 * Scores of confusion counts. A score is `undefined` when it would be 0/0: no answer is told apart from the answer 0,
 * and `emptyDenominator` says what was missing.
 */
import type { ConfusionCounts } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';

function ratio(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

/** TP / (TP + FP): how many of the calls "nodule" are right. Undefined when nothing was called a nodule. */
export function precision({ truePositives, falsePositives }: ConfusionCounts): number | undefined {
  return ratio(truePositives, truePositives + falsePositives);
}

/** TP / (TP + FN): how many of the nodules were found. Undefined when there are no nodules. */
export function recall({ truePositives, falseNegatives }: ConfusionCounts): number | undefined {
  return ratio(truePositives, truePositives + falseNegatives);
}

/** TN / (TN + FP): how many of the other samples were left alone. Undefined when there are none. */
export function specificity({ trueNegatives, falsePositives }: ConfusionCounts): number | undefined {
  return ratio(trueNegatives, trueNegatives + falsePositives);
}

/** FP / (TN + FP) = 1 - specificity. Undefined when there are no negative samples. */
export function falsePositiveRate({ trueNegatives, falsePositives }: ConfusionCounts): number | undefined {
  return ratio(falsePositives, trueNegatives + falsePositives);
}

/** Share of right calls: 0.997 for a model that never calls a nodule on LUNA16. Undefined without samples. */
export function accuracy(counts: ConfusionCounts): number | undefined {
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = counts;
  const right = truePositives + trueNegatives;
  return ratio(right, right + falsePositives + falseNegatives);
}

/** Mean of recall and specificity: 0.5 for any model with one answer for everything. Undefined when a class is absent. */
export function balancedAccuracy(counts: ConfusionCounts): number | undefined {
  const ofPositives = recall(counts);
  const ofNegatives = specificity(counts);
  return ofPositives === undefined || ofNegatives === undefined ? undefined : (ofPositives + ofNegatives) / 2;
}

/**
 * Matthews correlation of calls and labels, -1..1: (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN)). 1 is perfect,
 * 0 no better than chance. Undefined when a class, or a call, does not occur; scikit-learn gives 0 there.
 */
export function matthewsCorrelation(counts: ConfusionCounts): number | undefined {
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = counts;
  const ofPositives = Math.sqrt((truePositives + falsePositives) * (truePositives + falseNegatives));
  const ofNegatives = Math.sqrt((trueNegatives + falsePositives) * (trueNegatives + falseNegatives));
  const excess = truePositives * trueNegatives - falsePositives * falseNegatives;
  const correlation = ratio(excess, ofPositives * ofNegatives);
  // The two roots may round to a little less than the numerator.
  return correlation === undefined ? undefined : Math.max(-1, Math.min(1, correlation));
}

/**
 * The weighted harmonic mean of precision and recall in which recall weighs `beta` times as much: 1 gives F1, 2 favours
 * recall, 0.5 precision. From counts, (1 + β²) TP / ((1 + β²) TP + β² FN + FP), so it is 0 where precision or recall
 * is undefined but mistakes were made, and undefined only when TP + FP + FN = 0. At the two ends it is the score itself:
 * `beta` 0 gives precision, Infinity recall, undefined where they are.
 * @throws InvalidMetricInputError when beta is negative or NaN.
 */
export function fBeta(counts: ConfusionCounts, beta: number): number | undefined {
  if (!(beta >= 0))
    throw new InvalidMetricInputError('compute an F-score', 'beta', 'must be 0 or more', beta);
  if (beta === 0) return precision(counts);
  if (beta === Infinity) return recall(counts);
  const { truePositives, falsePositives, falseNegatives } = counts;
  if (truePositives === 0) return falsePositives + falseNegatives === 0 ? undefined : 0;
  // Divided by the larger of 1 and β², so that no weight overflows.
  const larger = Math.max(1, beta);
  const ofMissed = (beta / larger) ** 2;
  const ofFalse = (1 / larger) ** 2;
  const hits = (ofMissed + ofFalse) * truePositives;
  return hits / (hits + ofMissed * falseNegatives + ofFalse * falsePositives);
}

/** A sum of counts that a score divides by, and what it says when it is 0. */
interface Denominator {
  readonly size: (counts: ConfusionCounts) => number;
  readonly reason: string;
}

const POSITIVE_CALLS: Denominator = {
  size: ({ truePositives, falsePositives }) => truePositives + falsePositives,
  reason: 'no sample was called positive (TP + FP = 0)',
};
const NEGATIVE_CALLS: Denominator = {
  size: ({ trueNegatives, falseNegatives }) => trueNegatives + falseNegatives,
  reason: 'no sample was called negative (TN + FN = 0)',
};
const POSITIVES: Denominator = {
  size: ({ truePositives, falseNegatives }) => truePositives + falseNegatives,
  reason: 'no sample is positive (TP + FN = 0)',
};
const NEGATIVES: Denominator = {
  size: ({ trueNegatives, falsePositives }) => trueNegatives + falsePositives,
  reason: 'no sample is negative (TN + FP = 0)',
};
const SAMPLES: Denominator = {
  size: (counts) => POSITIVES.size(counts) + NEGATIVES.size(counts),
  reason: 'there are no samples (TP + FP + TN + FN = 0)',
};
const POSITIVES_AND_POSITIVE_CALLS: Denominator = {
  size: (counts) => POSITIVES.size(counts) + counts.falsePositives,
  reason: 'no sample is positive and none was called positive (TP + FP + FN = 0)',
};

const DENOMINATORS = {
  precision: [POSITIVE_CALLS],
  recall: [POSITIVES],
  specificity: [NEGATIVES],
  falsePositiveRate: [NEGATIVES],
  accuracy: [SAMPLES],
  balancedAccuracy: [POSITIVES, NEGATIVES],
  matthewsCorrelation: [POSITIVES, NEGATIVES, POSITIVE_CALLS, NEGATIVE_CALLS],
  fBeta: [POSITIVES_AND_POSITIVE_CALLS],
} as const satisfies Record<string, readonly Denominator[]>;
export type ScoreName = keyof typeof DENOMINATORS;

/**
 * Why a score of these counts is undefined, in words for a log that name every empty denominator, or undefined where
 * it has a value. `fBeta` stands for any beta above 0.
 */
export function emptyDenominator(score: ScoreName, counts: ConfusionCounts): string | undefined {
  const empty = DENOMINATORS[score].filter(({ size }) => size(counts) === 0);
  return empty.length === 0 ? undefined : empty.map(({ reason }) => reason).join(' and ');
}
