import { exponential, RandomPurpose, RandomStream } from '@lunastream/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countConfusion } from './confusion-counts.ts';
import { averagePrecision, recallAtFalsePositiveRate, rocAuc } from './curves.ts';
import { countsAt, rankSamples } from './ranking.ts';
import { ScoreSketch } from './score-sketch.ts';

const probability = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0.5, max: 0.502, noNaN: true }),
  fc.double({ min: 0, max: 1e-12, noNaN: true }),
  fc.double({ min: 0, max: 1e-12, noNaN: true }).map((p) => 1 - p),
  fc.integer({ min: 0, max: 64 }).map((n) => n / 64),
  fc.integer({ min: 1, max: 60 }).map((n) => 2 ** -n),
);
const samples = fc.array(fc.record({ label: fc.constantFrom(0, 1), probability }), { maxLength: 60 });

type Samples = readonly { readonly label: number; readonly probability: number }[];
const split = (items: Samples) =>
  [items.map(({ label }) => label), items.map((item) => item.probability)] as const;
function sketchOf(items: Samples): ScoreSketch {
  const sketch = new ScoreSketch();
  sketch.add(...split(items));
  return sketch;
}

/** Samples of a model that tells the classes apart by `separation` standard deviations of its logit, at 400:1. */
function simulate(count: number, separation: number): { labels: Uint8Array; probabilities: Float32Array } {
  const stream = new RandomStream({ runSeed: 7, epoch: 0, ordinal: 0, purpose: RandomPurpose.noise });
  const labels = new Uint8Array(count);
  const probabilities = new Float32Array(count);
  for (let sample = 0; sample < count; sample++) {
    labels[sample] = Number(sample % 401 === 0);
    const logit = 3 * stream.gaussian() + (labels[sample] === 1 ? separation : 0) * 3 - 6;
    probabilities[sample] = 1 / (1 + exponential(-logit));
  }
  return { labels, probabilities };
}

describe('ScoreSketch', () => {
  it('has exact counts at each of its thresholds', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const ranking = sketchOf(items).ranking();
        for (const [point, threshold] of ranking.thresholds.entries()) {
          if (threshold === -Infinity) continue;
          expect(countsAt(ranking, point)).toEqual(countConfusion(...split(items), threshold).counts);
        }
      }),
    );
  });

  it('has the threshold 0.5 exactly: a probability of 1/2 is below it, the next above', () => {
    const sketch = sketchOf([
      { label: 0, probability: 0.5 },
      { label: 1, probability: 0.5 },
      { label: 1, probability: 0.5 + 2 ** -53 },
    ]);
    const { thresholds } = sketch.ranking();
    expect(thresholds[1]).toBe(0.5);
    expect(countsAt(sketch.ranking(), 1)).toEqual({
      truePositives: 1,
      falsePositives: 0,
      trueNegatives: 1,
      falseNegatives: 1,
    });
  });

  it('parts probabilities that differ by 1/128 of min(p, 1 - p), down to 2^-41', () => {
    const distinct = fc.tuple(
      fc.double({ min: 2 ** -41, max: 1 - 2 ** -41, noNaN: true }),
      fc.double({ min: 1 / 128, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(distinct, ([lower, share]) => {
        const higher = lower + 1.01 * share * Math.min(lower, 1 - lower);
        fc.pre(higher < 1 && higher - lower > Math.min(higher, 1 - higher) / 128);
        const { thresholds } = sketchOf([
          { label: 0, probability: lower },
          { label: 1, probability: higher },
        ]).ranking();
        expect(thresholds).toHaveLength(3);
        expect(thresholds[1]).toBeGreaterThanOrEqual(lower);
        expect(thresholds[1]).toBeLessThan(higher);
      }),
    );
  });

  it('bounds the exact areas, which its own lie within too', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const sketch = sketchOf(items);
        const exact = rankSamples(...split(items));
        for (const [area, bounds] of [
          [rocAuc, sketch.rocAucBounds()],
          [averagePrecision, sketch.averagePrecisionBounds()],
        ] as const) {
          expect(bounds === undefined).toBe(area(exact) === undefined);
          if (bounds === undefined) continue;
          for (const value of [area(exact)!, area(sketch.ranking())!]) {
            expect(value).toBeGreaterThanOrEqual(bounds.low - 1e-12);
            expect(value).toBeLessThanOrEqual(bounds.high + 1e-12);
          }
        }
      }),
    );
  });

  it('has bounds that the samples of one bin can reach', () => {
    const inOneBin = [1e-20, 2e-20];
    const order = (labels: number[]) => {
      const sketch = new ScoreSketch();
      sketch.add(labels, inOneBin);
      return { bounds: sketch.rocAucBounds(), exact: rocAuc(rankSamples(labels, inOneBin)) };
    };
    expect(order([0, 1])).toEqual({ bounds: { low: 0, high: 1 }, exact: 1 });
    expect(order([1, 0])).toEqual({ bounds: { low: 0, high: 1 }, exact: 0 });
  });

  it('comes within 0.0025 of the areas and of recall at a rate for 400,000 float32 samples', () => {
    const { labels, probabilities } = simulate(400_000, 1.5);
    const sketch = new ScoreSketch();
    for (let first = 0; first < labels.length; first += 4096) {
      sketch.add(labels.subarray(first, first + 4096), probabilities.subarray(first, first + 4096));
    }
    const exact = rankSamples(labels, probabilities);
    const rough = sketch.ranking();
    const auc = sketch.rocAucBounds()!;
    const precision = sketch.averagePrecisionBounds()!;
    expect(auc.high - auc.low).toBeLessThan(0.0025);
    expect(precision.high - precision.low).toBeLessThan(0.0025);
    expect(Math.abs(rocAuc(rough)! - rocAuc(exact)!)).toBeLessThan(1e-5);
    expect(Math.abs(averagePrecision(rough)! - averagePrecision(exact)!)).toBeLessThan(1e-3);
    for (const rate of [0.001, 0.01, 0.1]) {
      const [roughRecall, exactRecall] = [rough, exact].map(
        (ranking) => recallAtFalsePositiveRate(ranking, rate)!.recall,
      );
      expect(roughRecall).toBeLessThanOrEqual(exactRecall!);
      expect(exactRecall! - roughRecall!).toBeLessThan(0.0025);
    }
    expect(rough.thresholds.length).toBeLessThan(10_243);
    expect(exact.thresholds.length).toBeGreaterThan(300_000);
  });

  it('of parts merges to the sketch of the whole, in any order', () => {
    fc.assert(
      fc.property(fc.array(samples, { maxLength: 5 }), fc.boolean(), (parts, reverse) => {
        const sketches = parts.map(sketchOf);
        if (reverse) sketches.reverse();
        const merged = new ScoreSketch();
        for (const sketch of sketches) merged.merge(sketch);
        expect(merged.ranking()).toEqual(sketchOf(parts.flat()).ranking());
      }),
      { numRuns: 30 },
    );
  });

  it('counts non-finite probabilities apart, of merged sketches too', () => {
    const sketch = new ScoreSketch();
    sketch.add([1, 1, 0], [Number.NaN, Infinity, 0.5]);
    const other = new ScoreSketch();
    other.add([1], [-Infinity]);
    sketch.merge(other);
    expect(sketch.ranking()).toMatchObject({ nonFinite: 3, positives: 0, negatives: 1 });
    expect(other.ranking()).toMatchObject({ nonFinite: 1, positives: 0, negatives: 0 });
  });

  it('is empty at first', () => {
    const sketch = new ScoreSketch();
    expect(sketch.ranking()).toEqual(rankSamples([], []));
    expect(sketch.rocAucBounds()).toBeUndefined();
    expect(sketch.averagePrecisionBounds()).toBeUndefined();
  });

  it.each([
    [[1, 1], [0.5, 1.5], 'probabilities[1] must be in 0..1, got 1.5'],
    [[1, 1], [0.5, -0.1], 'probabilities[1] must be in 0..1, got -0.1'],
    [[1, 2], [0.5, 0.5], 'labels[1] must be in 0..1, got 2'],
    [[1], [0.5, 0.5], 'labels must hold 2 values, one per sample, got 1'],
  ])('refuses labels %j with probabilities %j and adds none of them', (labels, probabilities, message) => {
    const sketch = new ScoreSketch();
    expect(() => sketch.add(labels, probabilities)).toThrow(`Cannot sketch predictions: ${message}`);
    expect(sketch.ranking()).toMatchObject({ positives: 0, negatives: 0 });
  });
});
