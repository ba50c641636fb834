/**
 * Curves and areas of a ranking, exact and aware of ties. A curve has a point for each threshold that changes a call,
 * none in between: no point promises what no threshold reaches.
 */
import { InvalidMetricInputError } from './errors.ts';
import type { Ranking } from './ranking.ts';

/** A sample is called a nodule when its probability is above `threshold`. */
export interface PrecisionRecallPoint {
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
}

/** A sample is called a nodule when its probability is above `threshold`. */
export interface RocPoint {
  readonly threshold: number;
  readonly falsePositiveRate: number;
  /** The true positive rate. */
  readonly recall: number;
}

function hasBothClasses({ positives, negatives }: Ranking): boolean {
  return positives > 0 && negatives > 0;
}

/**
 * The precision-recall curve at falling thresholds, from the first call to the last, where everything is called. There
 * is no point for no calls: its precision is 0/0. Empty when there are no positives, whose recall is undefined.
 */
export function precisionRecallCurve(ranking: Ranking): PrecisionRecallPoint[] {
  const { thresholds, truePositives, falsePositives, positives } = ranking;
  if (positives === 0) return [];
  return thresholds.slice(1).map((threshold, step) => {
    const found = truePositives[step + 1]!;
    return {
      threshold,
      precision: found / (found + falsePositives[step + 1]!),
      recall: found / positives,
    };
  });
}

/**
 * Average precision: the area under the precision-recall curve as steps, sum of (R_n - R_(n-1)) P_n over falling
 * thresholds. Unlike the trapezoid it does not promise precision between two thresholds that no threshold reaches.
 * Undefined when a class is absent (without negatives it would be 1 for any model).
 */
export function averagePrecision(ranking: Ranking): number | undefined {
  if (!hasBothClasses(ranking)) return undefined;
  const { truePositives, falsePositives, positives } = ranking;
  let weightedPrecision = 0;
  for (let point = 1; point < truePositives.length; point++) {
    const found = truePositives[point]!;
    const gained = found - truePositives[point - 1]!;
    weightedPrecision += gained * (found / (found + falsePositives[point]!));
  }
  return weightedPrecision / positives;
}

/** The ROC curve at falling thresholds, from (0, 0) to (1, 1). Empty when a class is absent. */
export function rocCurve(ranking: Ranking): RocPoint[] {
  const { thresholds, truePositives, falsePositives, positives, negatives } = ranking;
  if (!hasBothClasses(ranking)) return [];
  return thresholds.map((threshold, point) => ({
    threshold,
    falsePositiveRate: falsePositives[point]! / negatives,
    recall: truePositives[point]! / positives,
  }));
}

/**
 * Area under the ROC curve, as the Mann-Whitney statistic: the chance that a random positive ranks above a random
 * negative, ties counting half. Exact, not a curve on a grid (facts B10). Undefined when a class is absent.
 */
export function rocAuc(ranking: Ranking): number | undefined {
  if (!hasBothClasses(ranking)) return undefined;
  const { truePositives, falsePositives, positives, negatives } = ranking;
  let orderedPairs = 0;
  for (let point = 1; point < truePositives.length; point++) {
    const added = falsePositives[point]! - falsePositives[point - 1]!;
    orderedPairs += added * ((truePositives[point - 1]! + truePositives[point]!) / 2);
  }
  return orderedPairs / (positives * negatives);
}

/**
 * The point of the ROC curve with the highest recall whose false positive rate is at most `highestRate`; of several the
 * one with the fewest false positives. It is a point that a threshold reaches, not an interpolated one. Undefined when
 * a class is absent.
 * @throws InvalidMetricInputError when `highestRate` is not in 0..1.
 */
export function recallAtFalsePositiveRate(ranking: Ranking, highestRate: number): RocPoint | undefined {
  if (!(highestRate >= 0 && highestRate <= 1)) {
    throw new InvalidMetricInputError('read a ROC curve', 'highestRate', 'must be in 0..1', highestRate);
  }
  let best: RocPoint | undefined;
  for (const point of rocCurve(ranking)) {
    if (point.falsePositiveRate > highestRate) break;
    if (best === undefined || point.recall > best.recall) best = point;
  }
  return best;
}
