/**
 * Scores of confusion counts. A score is `undefined` when it would be 0/0: no answer is told apart from the answer 0,
 * and `emptyDenominator` says what was missing.
 */
import type { ConfusionCounts } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';

/** Outside this range an F-score is precision or recall in all but name, and β² loses its digits. */
const SMALLEST_BETA = 1e-3;
const LARGEST_BETA = 1e3;

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

/**
 * The weighted harmonic mean of precision and recall in which recall weighs `beta` times as much: 1 gives F1, 2 favours
 * recall, 0.5 precision. From counts, (1 + β²) TP / ((1 + β²) TP + β² FN + FP), so it is 0 where precision or recall
 * is undefined but mistakes were made, and undefined only when TP + FP + FN = 0.
 * @throws InvalidMetricInputError when beta is outside 0.001..1000.
 */
export function fBeta(counts: ConfusionCounts, beta: number): number | undefined {
  if (!(beta >= SMALLEST_BETA && beta <= LARGEST_BETA)) {
    const rule = `must be in ${SMALLEST_BETA}..${LARGEST_BETA} (use precision or recall beyond)`;
    throw new InvalidMetricInputError('compute an F-score', 'beta', rule, beta);
  }
  const weight = beta * beta;
  const hits = (1 + weight) * counts.truePositives;
  return ratio(hits, hits + weight * counts.falseNegatives + counts.falsePositives);
}

const SCORES = {
  precision,
  recall,
  specificity,
  falsePositiveRate,
  accuracy,
  fBeta: (counts: ConfusionCounts) => fBeta(counts, 1),
};
export type ScoreName = keyof typeof SCORES;

const REASONS: Readonly<Record<ScoreName, string>> = {
  precision: 'no sample was called positive (TP + FP = 0)',
  recall: 'no sample is positive (TP + FN = 0)',
  specificity: 'no sample is negative (TN + FP = 0)',
  falsePositiveRate: 'no sample is negative (TN + FP = 0)',
  accuracy: 'there are no samples (TP + FP + TN + FN = 0)',
  fBeta: 'no sample is positive and none was called positive (TP + FP + FN = 0)',
};

/** Why a score of these counts is undefined, in words for a log, or undefined where it has a value. */
export function emptyDenominator(score: ScoreName, counts: ConfusionCounts): string | undefined {
  return SCORES[score](counts) === undefined ? REASONS[score] : undefined;
}
