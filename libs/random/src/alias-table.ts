import type { RandomStream } from './random-stream.ts';

/**
 * Draws indices with given weights in constant time, with replacement: A. J. Walker's alias method ("An efficient method
 * for generating discrete random variables with general distributions", ACM TOMS 3, 1977), its table filled as
 * M. D. Vose showed ("A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17, 1991).
 */
export class AliasTable {
  /** Of column i: the share of draws that stay with i; the others go to `#aliases[i]`. */
  readonly #shares: Float64Array;
  readonly #aliases: Uint32Array;

  /**
   * Index i will be drawn with probability weights[i] / sum of weights.
   * @throws RangeError when there is no weight, one is negative or not finite, or all are 0.
   */
  constructor(weights: ArrayLike<number>) {
    const count = weights.length;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const weight = weights[index]!;
      if (!(weight >= 0 && weight < Infinity)) {
        throw new RangeError(
          `Cannot draw by weights: weight ${index} must be a finite number of at least 0, got ${weight}`,
        );
      }
      sum += weight;
    }
    if (!(sum > 0 && sum < Infinity)) {
      throw new RangeError(`Cannot draw by weights: their sum must be finite and above 0, got ${sum}`);
    }
    this.#shares = Float64Array.from({ length: count }, (_, index) => (weights[index]! / sum) * count);
    this.#aliases = Uint32Array.from({ length: count }, (_, index) => index);
    this.#pairColumns(weights);
  }

  /** The next index: two words of `stream`, rarely more. */
  draw(stream: RandomStream): number {
    const column = stream.integerBelow(this.#shares.length);
    return stream.uniform() < this.#shares[column]! ? column : this.#aliases[column]!;
  }

  /** Fills each column below 1 up from one that has more than 1, until every column holds exactly 1. */
  #pairColumns(weights: ArrayLike<number>): void {
    const small: number[] = [];
    const large: number[] = [];
    this.#shares.forEach((share, index) => (share < 1 ? small : large).push(index));
    while (small.length > 0 && large.length > 0) {
      const low = small.pop()!;
      const high = large.pop()!;
      this.#aliases[low] = high;
      this.#shares[high]! -= 1 - this.#shares[low]!;
      (this.#shares[high]! < 1 ? small : large).push(high);
    }
    // What is left is 1 but for rounding; a column of weight 0 must still never be drawn.
    const heaviest = indexOfLargest(weights);
    for (const index of [...small, ...large]) {
      this.#shares[index] = weights[index] === 0 ? 0 : 1;
      if (weights[index] === 0) this.#aliases[index] = heaviest;
    }
  }
}

function indexOfLargest(values: ArrayLike<number>): number {
  let largest = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[largest]!) largest = index;
  return largest;
}
