import { gaussianQuantile } from '@lunastream/random';
import type { ConfusionCounts } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';

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
