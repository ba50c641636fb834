/** Counts of a PR curve at equidistant thresholds, the way of PyTorch's `add_pr_curve`. */

export interface ScoredLabels {
  /** 1: positive. */
  readonly labels: ArrayLike<number>;
  /** 0..1, one per label. */
  readonly probabilities: ArrayLike<number>;
}

/** Below this a denominator counts as this: 0/0 shows as 0. */
const SMALLEST_COUNT = 1e-7;

/**
 * Six rows of a value per threshold i / (thresholds - 1), ascending: TP, FP, TN, FN, precision, recall. Positive is a
 * probability at or above the threshold. NaN probabilities are in no count.
 */
export function prCurveCounts({ labels, probabilities }: ScoredLabels, thresholds: number): Float32Array[] {
  const [tp, fp] = [new Float64Array(thresholds), new Float64Array(thresholds)];
  for (let index = 0; index < labels.length; index++) {
    const bucket = Math.floor(probabilities[index]! * (thresholds - 1));
    if (bucket >= 0 && bucket < thresholds) (labels[index] === 1 ? tp : fp)[bucket]!++;
  }
  // From counts per bucket to those at or above it.
  for (let bucket = thresholds - 2; bucket >= 0; bucket--) {
    tp[bucket]! += tp[bucket + 1]!;
    fp[bucket]! += fp[bucket + 1]!;
  }
  const row = (value: (bucket: number) => number) =>
    Float32Array.from({ length: thresholds }, (_, bucket) => value(bucket));
  return [
    row((i) => tp[i]!),
    row((i) => fp[i]!),
    row((i) => fp[0]! - fp[i]!),
    row((i) => tp[0]! - tp[i]!),
    row((i) => tp[i]! / Math.max(SMALLEST_COUNT, tp[i]! + fp[i]!)),
    row((i) => tp[i]! / Math.max(SMALLEST_COUNT, tp[0]!)),
  ];
}
