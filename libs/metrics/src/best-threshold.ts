import type { ConfusionCounts } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';
import { countsAt, type Ranking } from './ranking.ts';
import { fBeta } from './scores.ts';

/** A threshold and what it calls: `countConfusion` with it gives the same counts for the same samples. */
export interface BestThreshold {
  readonly threshold: number;
  readonly counts: ConfusionCounts;
  /** What was asked for: the F-score, or the cost. */
  readonly value: number;
}

/** What one mistake of each kind costs, in any unit. */
export interface MistakeCosts {
  readonly falsePositive: number;
  readonly falseNegative: number;
}

/** The threshold with the highest `merit`; on a tie the highest threshold, which calls the least. */
function findBest(
  ranking: Ranking,
  merit: (counts: ConfusionCounts) => number | undefined,
): BestThreshold | undefined {
  let best: BestThreshold | undefined;
  for (const [point, threshold] of ranking.thresholds.entries()) {
    if (threshold === -Infinity) continue;
    const counts = countsAt(ranking, point);
    const value = merit(counts);
    if (value === undefined || (best !== undefined && value <= best.value)) continue;
    best = { threshold, counts, value };
  }
  return best;
}

/**
 * The threshold with the highest F-score. Half-way between two probabilities of the ranking, so that a slightly
 * different one falls on the same side. Undefined when there are no positives.
 * @throws InvalidMetricInputError when beta is negative or NaN.
 */
export function bestThresholdByFBeta(ranking: Ranking, beta: number): BestThreshold | undefined {
  const best = findBest(ranking, (counts) => fBeta(counts, beta));
  return ranking.positives === 0 ? undefined : best;
}

/**
 * The threshold at which all mistakes together cost the least. A missed nodule that costs 20 times a false alarm moves
 * the threshold to where finding one more nodule takes 20 more false alarms. Undefined without samples.
 * @throws InvalidMetricInputError when a cost is negative or not finite.
 */
export function bestThresholdByCost(ranking: Ranking, costs: MistakeCosts): BestThreshold | undefined {
  for (const mistake of ['falsePositive', 'falseNegative'] as const) {
    const cost = costs[mistake];
    if (!(cost >= 0 && cost < Infinity)) {
      throw new InvalidMetricInputError('find a threshold', mistake, 'must cost 0 or more, finite', cost);
    }
  }
  if (ranking.positives + ranking.negatives === 0) return undefined;
  const saved = findBest(
    ranking,
    ({ falsePositives, falseNegatives }) =>
      -(falsePositives * costs.falsePositive + falseNegatives * costs.falseNegative),
  );
  return saved === undefined ? undefined : { ...saved, value: 0 - saved.value };
}
