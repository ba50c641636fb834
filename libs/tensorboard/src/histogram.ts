/** Counts of values between edges, as TensorBoard's histograms want them. */

export interface HistogramCounts {
  /** Upper edge of each bucket. */
  readonly limits: readonly number[];
  readonly counts: Float64Array;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  /** Sum of squares. */
  readonly squares: number;
}

/** TensorFlow's default: from 1e-12 to 1e20, each 1.1 times the one before, mirrored, with 0 between. */
export function exponentialEdges(): number[] {
  const positive: number[] = [];
  for (let edge = 1e-12; edge < 1e20; edge *= 1.1) positive.push(edge);
  return [...positive.map((edge) => -edge).reverse(), 0, ...positive];
}

/** Index of the first edge above `value`. */
function bucketOf(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A wide set of edges is cut to those around the values; this many are written whole. */
const MOST_WHOLE = 64;

/**
 * Counts of `values` (at least one) between ascending `edges`.
 * @throws RangeError for a value that is no finite number, or outside the edges.
 */
export function fillHistogram(values: ArrayLike<number>, edges: readonly number[]): HistogramCounts {
  const counts = new Float64Array(edges.length);
  let [min, max, sum, squares] = [Infinity, -Infinity, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!(value >= edges[0]! && value <= edges.at(-1)!)) {
      throw new RangeError(
        `Cannot count value ${index}: it must be in ${edges[0]}..${edges.at(-1)}, got ${value}`,
      );
    }
    const bucket = Math.min(bucketOf(edges, value), edges.length - 1);
    counts[bucket]!++;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    squares += value * value;
  }
  const [first, end] = edges.length <= MOST_WHOLE ? [0, edges.length] : filledRange(counts);
  return { limits: edges.slice(first, end), counts: counts.subarray(first, end), min, max, sum, squares };
}

/** From the empty bucket before the first filled one, whose edge closes that, to behind the last. */
function filledRange(counts: Float64Array): [number, number] {
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return [Math.max(0, first - 1), last + 1];
}
