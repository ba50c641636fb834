/**
 * Scores of the order in which probabilities put the samples, without a threshold. O(n log n). Samples with equal
 * probabilities have no order; both scores treat them as one step. Non-finite probabilities have no place and are
 * left out.
 */
import { assertSamples, isPositiveLabel } from './confusion-counts.ts';

/** Samples of one probability. */
interface Step {
  readonly positives: number;
  readonly negatives: number;
}

/** Steps from the highest probability to the lowest. */
function descendingSteps(labels: ArrayLike<number>, probabilities: ArrayLike<number>): Step[] {
  assertSamples('rank predictions', labels, probabilities);
  const order: number[] = [];
  for (let sample = 0; sample < labels.length; sample++) {
    if (Number.isFinite(probabilities[sample])) order.push(sample);
  }
  order.sort((a, b) => probabilities[b]! - probabilities[a]!);
  const steps: { positives: number; negatives: number }[] = [];
  let height = Number.NaN;
  for (const sample of order) {
    if (probabilities[sample] !== height) {
      height = probabilities[sample]!;
      steps.push({ positives: 0, negatives: 0 });
    }
    steps[steps.length - 1]![isPositiveLabel(labels[sample]!) ? 'positives' : 'negatives']++;
  }
  return steps;
}

/**
 * Area under the ROC curve, as the Mann-Whitney statistic: the chance that a random positive ranks above a random
 * negative, ties counting half. Exact, not a curve on a grid (facts B10). Undefined when a class is absent.
 * @throws InvalidMetricInputError when the arrays differ in length or a label is not in 0..1.
 */
export function rocAuc(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number | undefined {
  let positivesAbove = 0;
  let negatives = 0;
  let orderedPairs = 0;
  for (const step of descendingSteps(labels, probabilities)) {
    orderedPairs += step.negatives * (positivesAbove + step.positives / 2);
    positivesAbove += step.positives;
    negatives += step.negatives;
  }
  const pairs = positivesAbove * negatives;
  return pairs === 0 ? undefined : orderedPairs / pairs;
}

/**
 * Average precision: the area under the precision-recall curve as steps, sum of (R_n - R_(n-1)) P_n over falling
 * thresholds. Unlike the trapezoid it does not promise precision between two thresholds that no threshold reaches.
 * Undefined when a class is absent (without negatives it would be 1 for any model).
 * @throws InvalidMetricInputError when the arrays differ in length or a label is not in 0..1.
 */
export function averagePrecision(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
): number | undefined {
  let truePositives = 0;
  let called = 0;
  let weightedPrecision = 0;
  for (const { positives, negatives } of descendingSteps(labels, probabilities)) {
    truePositives += positives;
    called += positives + negatives;
    weightedPrecision += positives * (truePositives / called);
  }
  const hasBothClasses = truePositives > 0 && called > truePositives;
  return hasBothClasses ? weightedPrecision / truePositives : undefined;
}
