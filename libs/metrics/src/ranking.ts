/**
 * What the order of probabilities says, for every threshold at once. A ranking is the list of all confusion counts that
 * some threshold gives; curves, areas and best thresholds (`curves.ts`, `best-threshold.ts`) are read off it. Samples of
 * equal probability have no order: no threshold parts them, so they enter as one step.
 */
import { assertSamples, isPositiveLabel, type ConfusionCounts } from './confusion-counts.ts';

/** Calls at falling thresholds: at point 0 nothing is called a nodule, at the last point everything is. */
export interface Ranking {
  /**
   * Probabilities above `thresholds[point]` are the calls of that point. The last is -Infinity where a probability is so
   * low that no threshold in 0..1 calls it.
   */
  readonly thresholds: readonly number[];
  readonly truePositives: readonly number[];
  readonly falsePositives: readonly number[];
  /** Ranked samples of each class. */
  readonly positives: number;
  readonly negatives: number;
  /** Samples whose probability is NaN or infinite: they have no place and are in no other figure. */
  readonly nonFinite: number;
}

/** Samples that every threshold treats alike. */
export interface RankingStep {
  readonly positives: number;
  readonly negatives: number;
  /** A threshold that calls these samples and none below. */
  readonly threshold: number;
}

/** The ranking of `steps`, which come from the highest probability to the lowest. */
export function toRanking(steps: Iterable<RankingStep>, highest: number, nonFinite: number): Ranking {
  const thresholds = [Math.max(1, highest)];
  const truePositives = [0];
  const falsePositives = [0];
  let positives = 0;
  let negatives = 0;
  for (const step of steps) {
    positives += step.positives;
    negatives += step.negatives;
    thresholds.push(step.threshold);
    truePositives.push(positives);
    falsePositives.push(negatives);
  }
  return { thresholds, truePositives, falsePositives, positives, negatives, nonFinite };
}

/** A threshold that calls `above` but not `below` (-Infinity: nothing is below); half-way where there is room. */
function thresholdBetween(below: number, above: number): number {
  if (below === -Infinity) return above > 0 ? above / 2 : -Infinity;
  const middle = below / 2 + above / 2;
  return middle >= below && middle < above ? middle : below;
}

/** Both arrays are sorted and are left as they are. */
function* descendingSteps(positives: Float64Array, negatives: Float64Array): Generator<RankingStep> {
  let positivesLeft = positives.length;
  let negativesLeft = negatives.length;
  const highestLeft = () =>
    Math.max(positives[positivesLeft - 1] ?? -Infinity, negatives[negativesLeft - 1] ?? -Infinity);
  let height = highestLeft();
  while (height > -Infinity) {
    const [positivesBefore, negativesBefore] = [positivesLeft, negativesLeft];
    while (positives[positivesLeft - 1] === height) positivesLeft--;
    while (negatives[negativesLeft - 1] === height) negativesLeft--;
    const next = highestLeft();
    yield {
      positives: positivesBefore - positivesLeft,
      negatives: negativesBefore - negativesLeft,
      threshold: thresholdBetween(next, height),
    };
    height = next;
  }
}

/**
 * Ranks samples by probability, exactly, in O(n log n) time and O(n) memory; `ScoreSketch` does it in bounded memory.
 * Any finite number is a place in the order; non-finite ones are counted apart. Nothing is changed or kept.
 * @throws InvalidMetricInputError when the arrays differ in length or a label is not in 0..1.
 */
export function rankSamples(labels: ArrayLike<number>, probabilities: ArrayLike<number>): Ranking {
  assertSamples('rank predictions', labels, probabilities);
  const ofPositives = new Float64Array(labels.length);
  const ofNegatives = new Float64Array(labels.length);
  let positives = 0;
  let negatives = 0;
  for (let sample = 0; sample < labels.length; sample++) {
    const probability = probabilities[sample]!;
    if (!Number.isFinite(probability)) continue;
    if (isPositiveLabel(labels[sample]!)) ofPositives[positives++] = probability;
    else ofNegatives[negatives++] = probability;
  }
  const sortedPositives = ofPositives.subarray(0, positives).sort();
  const sortedNegatives = ofNegatives.subarray(0, negatives).sort();
  const highest = Math.max(sortedPositives.at(-1) ?? -Infinity, sortedNegatives.at(-1) ?? -Infinity);
  const nonFinite = labels.length - positives - negatives;
  return toRanking(descendingSteps(sortedPositives, sortedNegatives), highest, nonFinite);
}

/** The confusion counts at one point of a ranking. */
export function countsAt(ranking: Ranking, point: number): ConfusionCounts {
  const truePositives = ranking.truePositives[point]!;
  const falsePositives = ranking.falsePositives[point]!;
  return {
    truePositives,
    falsePositives,
    trueNegatives: ranking.negatives - falsePositives,
    falseNegatives: ranking.positives - truePositives,
  };
}
