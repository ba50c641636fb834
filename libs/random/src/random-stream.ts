import { exponential, logarithm } from './elementary.ts';
import { gaussianQuantile } from './gaussian-quantile.ts';
import { philox4x32, type Words4 } from './philox.ts';

/**
 * What a stream of draws is for. Each purpose is a counter word of its own, so that adding a draw to one never shifts
 * the numbers of another. Values are part of every recorded run: add, never renumber.
 */
export const RandomPurpose = {
  transform: 1,
  noise: 2,
  datasetOrder: 3,
  positiveOrder: 4,
  negativeOrder: 5,
  modelInitialisation: 6,
  phantom: 7,
  elastic: 8,
  intensity: 9,
  mixup: 10,
  mixupPartner: 11,
  bootstrap: 12,
  weightedDraw: 13,
  benignOrder: 14,
} as const;
export type RandomPurpose = (typeof RandomPurpose)[keyof typeof RandomPurpose];

/** Names one stream of draws. All words are unsigned 32-bit integers. */
export interface RandomKey {
  readonly runSeed: number;
  readonly epoch: number;
  readonly ordinal: number;
  readonly purpose: RandomPurpose;
}

const WORDS_PER_BLOCK = 4;
const TWO_POW_32 = 0x1_0000_0000;
const SMALLEST_BETA_SHAPE = 1e-3;
const LARGEST_BETA_SHAPE = 1e3;

function assertUint32(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= TWO_POW_32) {
    throw new RangeError(
      `Cannot key random numbers by ${name}: it must be an integer in 0..4294967295, got ${value}`,
    );
  }
}

/**
 * The draws of one key, in order. Philox is keyed by (runSeed, epoch); its counter is (block, ordinal, purpose, 0), so
 * every stream has 2^34 words before it ends.
 */
export class RandomStream {
  readonly #key: readonly [number, number];
  readonly #counter: Words4;
  readonly #block = new Uint32Array(WORDS_PER_BLOCK);
  #used = WORDS_PER_BLOCK;

  /** @throws RangeError when a word of the key is not an unsigned 32-bit integer. */
  constructor(key: RandomKey) {
    assertUint32('runSeed', key.runSeed);
    assertUint32('epoch', key.epoch);
    assertUint32('ordinal', key.ordinal);
    this.#key = [key.runSeed, key.epoch];
    this.#counter = [0, key.ordinal, key.purpose, 0];
  }

  /** The next uniform word, 0..2^32-1. */
  uint32(): number {
    if (this.#used === WORDS_PER_BLOCK) {
      philox4x32(this.#counter, this.#key, this.#block);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#block[this.#used++]!;
  }

  /** The next uniform number strictly inside (0, 1): (word + 1/2) / 2^32, one word each. */
  uniform(): number {
    return (this.uint32() + 0.5) / TWO_POW_32;
  }

  /** The next uniform number in (low, high). */
  uniformBetween(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** The next standard normal number, by inversion: one word each, |z| below 6.34. */
  gaussian(): number {
    return gaussianQuantile(this.uniform());
  }

  /**
   * The next number of the Beta(shape, shape) distribution on [0, 1], for shapes in 1e-3..1e3. Two gamma numbers by
   * Marsaglia and Tsang ("A simple method for generating gamma variables", 2000), compared by their logarithms, which
   * small shapes need: there nearly every number is within rounding of 0 or 1.
   * @throws RangeError for a shape out of range.
   */
  symmetricBeta(shape: number): number {
    if (!(shape >= SMALLEST_BETA_SHAPE && shape <= LARGEST_BETA_SHAPE)) {
      throw new RangeError(`Cannot draw a beta number: shape must be in 0.001..1000, got ${shape}`);
    }
    const first = this.#logarithmOfGamma(shape);
    const second = this.#logarithmOfGamma(shape);
    return 1 / (1 + exponential(second - first));
  }

  /** ln of a Gamma(shape, 1) number; shapes below 1 are lifted by one and brought back by U^(1 / shape). */
  #logarithmOfGamma(shape: number): number {
    const isLifted = shape < 1;
    const d = (isLifted ? shape + 1 : shape) - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const z = this.gaussian();
      const root = 1 + c * z;
      const uniform = this.uniform();
      const lift = isLifted ? logarithm(this.uniform()) / shape : 0;
      if (root <= 0) continue;
      const logarithmOfCube = 3 * logarithm(root);
      const cube = root * root * root;
      if (logarithm(uniform) < 0.5 * z * z + d * (1 - cube + logarithmOfCube)) {
        return logarithm(d) + logarithmOfCube + lift;
      }
    }
  }

  /**
   * The next uniform integer in 0..bound-1, without bias (Lemire, "Fast random integer generation in an interval",
   * 2019, here with plain rejection of the short last range).
   */
  integerBelow(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_POW_32) {
      throw new RangeError(`Cannot draw an integer: bound must be in 1..2^32, got ${bound}`);
    }
    const limit = TWO_POW_32 - (TWO_POW_32 % bound);
    let word = this.uint32();
    while (word >= limit) word = this.uint32();
    return word % bound;
  }

  /** Shuffles `items` in place (Fisher-Yates; every permutation equally likely) and returns it. */
  shuffle<Items extends { length: number; [index: number]: unknown }>(items: Items): Items {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.integerBelow(last + 1);
      const held = items[last];
      items[last] = items[other];
      items[other] = held;
    }
    return items;
  }
}
