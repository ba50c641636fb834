/** Pairs of a series whose later value is not the higher one. A tie counts: what chance would break, breaks against us. */
function countInversions(values: readonly number[]): number {
  let inversions = 0;
  for (let later = 1; later < values.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      if (values[later]! <= values[earlier]!) inversions++;
    }
  }
  return inversions;
}

/** For n = 0, 1, ... inversions: the share of the orders of `length` values that have n. */
function inversionShares(length: number): number[] {
  let shares = [1];
  for (let size = 2; size <= length; size++) {
    // The largest of `size` values goes to any of `size` places and makes 0..size - 1 new inversions.
    shares = Array.from({ length: (size * (size - 1)) / 2 + 1 }, (_, inversions) => {
      const first = Math.max(0, inversions - size + 1);
      return shares.slice(first, inversions + 1).reduce((sum, share) => sum + share, 0) / size;
    });
  }
  return shares;
}

/**
 * The Mann-Kendall test for a rise (H. B. Mann, "Nonparametric tests against trend", Econometrica 13, 1945): the chance
 * that values in random order rise at least as clearly as these, in the pairs that rise. Exact, whatever the
 * distribution of the values; with ties too large rather than too small. For tens of values: O(n⁴).
 */
export function risingTrendProbability(values: readonly number[]): number {
  return inversionShares(values.length)
    .slice(0, countInversions(values) + 1)
    .reduce((sum, share) => sum + share, 0);
}

/** The middle value; of an even number the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Slope per step of the line through a series by Theil and Sen: the median slope of all pairs. */
export function medianSlope(values: readonly number[]): number {
  const slopes: number[] = [];
  for (let later = 1; later < values.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      slopes.push((values[later]! - values[earlier]!) / (later - earlier));
    }
  }
  return median(slopes);
}
