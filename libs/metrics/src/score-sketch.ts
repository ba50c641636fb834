/**
 * The ranking of any number of samples in bounded memory: two histograms of probabilities, 164 kB in all. Bin edges are
 * dense near 0 and 1, where a classifier at 400:1 puts nearly all of its probabilities: every power of two of p (below
 * 1/2) and of 1 - p (above) is cut into 128 equal parts, down to 2^-41.
 *
 * Error bounds:
 * - Two probabilities share a bin only if they differ by less than 1/128 of min(p, 1 - p), or are both below 2^-41, or
 *   both above 1 - 2^-41. So each threshold of the exact ranking is met to that relative accuracy.
 * - Counts at a bin edge are exact, 1/2 among them: the edges are the thresholds of `ranking()`, and bins are half-open
 *   as calls are (p > threshold).
 * - Areas: a pair of samples in different bins is ordered as it should be; only pairs inside a bin are not known, and
 *   count half. `rocAucBounds()` and `averagePrecisionBounds()` hold the exact area for certain, whatever the samples.
 *
 * Bins are integers: sketches of parts merge to the sketch of the whole, in any order.
 */
import { assertSamples, isPositiveLabel } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';
import type { Interval } from './interval.ts';
import { toRanking, type Ranking, type RankingStep } from './ranking.ts';

const PARTS_PER_OCTAVE = 128;
const OCTAVES = 40;

/** Lower edges of the bins, rising. A bin holds the probabilities above its edge, up to the next edge. */
const LOWER_EDGES = Float64Array.from(
  (function* () {
    const belowHalf: number[] = [];
    for (let octave = -OCTAVES - 1; octave < -1; octave++) {
      for (let part = 0; part < PARTS_PER_OCTAVE; part++) {
        belowHalf.push((1 + part / PARTS_PER_OCTAVE) * 2 ** octave);
      }
    }
    yield -Infinity;
    yield* belowHalf;
    yield 0.5;
    // Exact, as every edge is a multiple of 2^-48.
    for (const edge of belowHalf.reverse()) yield 1 - edge;
  })(),
);

/** The bin of a probability in 0..1. */
function binOf(probability: number): number {
  let bin = 0;
  let above = LOWER_EDGES.length;
  while (above - bin > 1) {
    const middle = (bin + above) >>> 1;
    if (LOWER_EDGES[middle]! < probability) bin = middle;
    else above = middle;
  }
  return bin;
}

export class ScoreSketch {
  // Doubles, since more samples than 2^32 may come.
  readonly #positives = new Float64Array(LOWER_EDGES.length);
  readonly #negatives = new Float64Array(LOWER_EDGES.length);
  #nonFinite = 0;

  /**
   * Adds samples and keeps no reference. A probability that is NaN or infinite is counted apart.
   * @throws InvalidMetricInputError when the arrays differ in length, or a label or a finite probability is not in
   * 0..1; nothing is added then.
   */
  add(labels: ArrayLike<number>, probabilities: ArrayLike<number>): void {
    const what = 'sketch predictions';
    assertSamples(what, labels, probabilities);
    for (let sample = 0; sample < probabilities.length; sample++) {
      const probability = probabilities[sample]!;
      if (Number.isFinite(probability) && !(probability >= 0 && probability <= 1)) {
        throw new InvalidMetricInputError(what, `probabilities[${sample}]`, 'must be in 0..1', probability);
      }
    }
    for (let sample = 0; sample < labels.length; sample++) {
      const probability = probabilities[sample]!;
      if (!Number.isFinite(probability)) {
        this.#nonFinite++;
        continue;
      }
      const counts = isPositiveLabel(labels[sample]!) ? this.#positives : this.#negatives;
      counts[binOf(probability)]!++;
    }
  }

  /** Adds the samples of `other`, which stays as it is. */
  merge(other: ScoreSketch): void {
    for (let bin = 0; bin < LOWER_EDGES.length; bin++) {
      this.#positives[bin]! += other.#positives[bin]!;
      this.#negatives[bin]! += other.#negatives[bin]!;
    }
    this.#nonFinite += other.#nonFinite;
  }

  /** The ranking with the samples of a bin as ties, for `curves.ts` and `best-threshold.ts`. Its counts are exact. */
  ranking(): Ranking {
    return toRanking(this.#descendingSteps(), 1, this.#nonFinite);
  }

  /** Holds the exact area under the ROC curve: half of the pairs that share a bin to either side of the sketch's. */
  rocAucBounds(): Interval | undefined {
    let positivesAbove = 0;
    let negatives = 0;
    let orderedPairs = 0;
    let unknownPairs = 0;
    for (const step of this.#descendingSteps()) {
      orderedPairs += step.negatives * positivesAbove;
      unknownPairs += step.negatives * step.positives;
      positivesAbove += step.positives;
      negatives += step.negatives;
    }
    const pairs = positivesAbove * negatives;
    return pairs === 0
      ? undefined
      : { low: orderedPairs / pairs, high: (orderedPairs + unknownPairs) / pairs };
  }

  /**
   * Holds the exact average precision. A positive's precision is at least that of its place with all negatives of the
   * bin above it, and at most that of the whole bin's positives with none of them.
   */
  averagePrecisionBounds(): Interval | undefined {
    let found = 0;
    let falseCalls = 0;
    let low = 0;
    let high = 0;
    for (const { positives, negatives } of this.#descendingSteps()) {
      for (let place = 1; place <= positives; place++) {
        low += (found + place) / (found + place + falseCalls + negatives);
      }
      found += positives;
      if (positives > 0) high += positives * (found / (found + falseCalls));
      falseCalls += negatives;
    }
    return found === 0 || falseCalls === 0 ? undefined : { low: low / found, high: high / found };
  }

  *#descendingSteps(): Generator<RankingStep> {
    for (let bin = LOWER_EDGES.length - 1; bin >= 0; bin--) {
      const positives = this.#positives[bin]!;
      const negatives = this.#negatives[bin]!;
      if (positives + negatives > 0) yield { positives, negatives, threshold: LOWER_EDGES[bin]! };
    }
  }
}
