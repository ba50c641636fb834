import { InvalidMetricInputError } from './errors.ts';

/**
 * How a classifier's calls compare with the truth. Counts add up over batches, workers and pods, which scores do not:
 * move counts, and derive scores (`scores.ts`) last.
 */
export interface ConfusionCounts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

export interface CountedPredictions {
  readonly counts: ConfusionCounts;
  /** Samples whose probability is NaN or infinite; they are in none of the four counts. */
  readonly nonFinite: number;
}

/** Labels are compared with 0.5, as in the published program, so that mixed labels count as their larger part. */
const LABEL_THRESHOLD = 0.5;

/** Whether a label, or the larger part of a mixed one, says nodule. Exactly half does not. */
export function isPositiveLabel(label: number): boolean {
  return label > LABEL_THRESHOLD;
}

/**
 * @throws InvalidMetricInputError when the arrays differ in length or a label is not in 0..1. Metrics of misaligned
 * arrays would be plausible and wrong.
 */
export function assertSamples(what: string, labels: ArrayLike<number>, values: ArrayLike<number>): void {
  if (labels.length !== values.length) {
    throw new InvalidMetricInputError(
      what,
      'labels',
      `must hold ${values.length} values, one per sample`,
      labels.length,
    );
  }
  for (let sample = 0; sample < labels.length; sample++) {
    const label = labels[sample]!;
    if (!(label >= 0 && label <= 1)) {
      throw new InvalidMetricInputError(what, `labels[${sample}]`, 'must be in 0..1', label);
    }
  }
}

/**
 * Counts the calls "nodule" (probability strictly above `threshold`) against the labels. A probability equal to the
 * threshold is a negative call. Non-finite probabilities are set apart: the published program counts NaN as positive,
 * and a diverged model then shows a recall of 1 (facts 1.9, B6).
 * @throws InvalidMetricInputError when the arrays differ in length, or a label or the threshold is not in 0..1.
 */
export function countConfusion(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  threshold: number,
): CountedPredictions {
  const what = 'count predictions';
  assertSamples(what, labels, probabilities);
  if (!(threshold >= 0 && threshold <= 1)) {
    throw new InvalidMetricInputError(what, 'threshold', 'must be in 0..1', threshold);
  }
  const counts = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };
  let nonFinite = 0;
  for (let sample = 0; sample < labels.length; sample++) {
    const probability = probabilities[sample]!;
    const isNodule = isPositiveLabel(labels[sample]!);
    if (!Number.isFinite(probability)) nonFinite++;
    else if (probability > threshold) counts[isNodule ? 'truePositives' : 'falsePositives']++;
    else counts[isNodule ? 'falseNegatives' : 'trueNegatives']++;
  }
  return { counts, nonFinite };
}

/** The sum, in any order and grouping, exact up to 2^53 samples; all zeros for no parts. */
export function mergeConfusion(...parts: readonly ConfusionCounts[]): ConfusionCounts {
  return parts.reduce(
    (sum, part) => ({
      truePositives: sum.truePositives + part.truePositives,
      falsePositives: sum.falsePositives + part.falsePositives,
      trueNegatives: sum.trueNegatives + part.trueNegatives,
      falseNegatives: sum.falseNegatives + part.falseNegatives,
    }),
    { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 },
  );
}
