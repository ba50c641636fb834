import { gaussianQuantile } from '@lunastream/random';
import type { ConfusionCounts } from './confusion-counts.ts';
import { rocAuc } from './curves.ts';
import { InvalidMetricInputError } from './errors.ts';
import type { Ranking } from './ranking.ts';

/** A range that holds the true value with the asked confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export const DEFAULT_CONFIDENCE = 0.95;

/** @throws InvalidMetricInputError when `confidence` is not between 0 and 1. */
export function assertConfidence(what: string, confidence: number): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw new InvalidMetricInputError(what, 'confidence', 'must be above 0 and below 1', confidence);
  }
}

/**
 * The score interval of E. B. Wilson ("Probable inference, the law of succession, and statistical inference", JASA 22,
 * 1927) for a share of `hits` in `trials`. It stays inside 0..1 and keeps its coverage with few trials and shares near
 * 0 or 1, where the usual p ± z sqrt(p (1 - p) / n) fails: LUNA16 has 136 validation positives.
 */
function wilsonInterval(hits: number, trials: number, confidence: number): Interval | undefined {
  assertConfidence('compute an interval', confidence);
  if (trials === 0) return undefined;
  const z = gaussianQuantile((1 + confidence) / 2);
  const zz = z * z;
  const halfWidth = z * Math.sqrt(zz + (4 * hits * (trials - hits)) / trials);
  const scale = 2 * (trials + zz);
  return {
    low: (2 * hits + zz - halfWidth) / scale,
    // Of all hits it is 1 but for rounding.
    high: Math.min(1, (2 * hits + zz + halfWidth) / scale),
  };
}

/**
 * Interval of the area under a ROC curve, by the standard error of J. A. Hanley and B. J. McNeil ("The meaning and use of the
 * area under a receiver operating characteristic (ROC) curve", Radiology 143, 1982). Undefined when a class is absent.
 * @throws InvalidMetricInputError when `confidence` is not between 0 and 1.
 */
export function rocAucInterval(ranking: Ranking, confidence = DEFAULT_CONFIDENCE): Interval | undefined {
  assertConfidence('compute an interval', confidence);
  const area = rocAuc(ranking);
  if (area === undefined) return undefined;
  const { positives, negatives } = ranking;
  const bothAbove = area / (2 - area) - area ** 2;
  const bothBelow = (2 * area ** 2) / (1 + area) - area ** 2;
  const variance =
    (area * (1 - area) + (positives - 1) * bothAbove + (negatives - 1) * bothBelow) / (positives * negatives);
  const halfWidth = gaussianQuantile((1 + confidence) / 2) * Math.sqrt(Math.max(0, variance));
  return { low: Math.max(0, area - halfWidth), high: Math.min(1, area + halfWidth) };
}

/** 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom (scipy.stats.t.ppf(0.975, n)). */
const STUDENT_QUANTILES = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
  2.200985, 2.178813, 2.160369, 2.144787, 2.13145, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963, 2.079614,
  2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.04523, 2.042272,
];

/** The 97.5 % quantile; beyond the table by the series of Fisher and Cornish, right to 1e-6 there. */
function studentQuantile(degrees: number): number {
  const tabled = STUDENT_QUANTILES[degrees - 1];
  if (tabled !== undefined) return tabled;
  const z = gaussianQuantile(0.975);
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}

/** Mean of repeated measurements, and how sure it is. */
export interface MeanInterval {
  readonly mean: number;
  /** 95 % interval of the mean by Student's t; undefined for a single value. */
  readonly interval: Interval | undefined;
  readonly count: number;
}

/**
 * Mean of the same score over runs that differ in their seed, with the 95 % interval of Student ("The probable error of a
 * mean", Biometrika 6, 1908), which few values make honestly wide. Undefined without values. An interval may leave the range
 * of the score: the mean of seeds, not the score, is what it is about.
 */
export function meanInterval(values: readonly number[]): MeanInterval | undefined {
  const count = values.length;
  if (count === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, interval: undefined, count };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const halfWidth = studentQuantile(count - 1) * Math.sqrt(variance / count);
  return { mean, interval: { low: mean - halfWidth, high: mean + halfWidth }, count };
}

/**
 * Wilson interval of precision. Undefined when nothing was called a nodule.
 * @throws InvalidMetricInputError when `confidence` is not between 0 and 1.
 */
export function precisionInterval(
  { truePositives, falsePositives }: ConfusionCounts,
  confidence = DEFAULT_CONFIDENCE,
): Interval | undefined {
  return wilsonInterval(truePositives, truePositives + falsePositives, confidence);
}

/**
 * Wilson interval of recall. Undefined when there are no nodules.
 * @throws InvalidMetricInputError when `confidence` is not between 0 and 1.
 */
export function recallInterval(
  { truePositives, falseNegatives }: ConfusionCounts,
  confidence = DEFAULT_CONFIDENCE,
): Interval | undefined {
  return wilsonInterval(truePositives, truePositives + falseNegatives, confidence);
}
