import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countConfusion, mergeConfusion, type ConfusionCounts } from './confusion-counts.ts';
import { InvalidMetricInputError } from './errors.ts';

const countsArbitrary = fc.record({
  truePositives: fc.nat(1e6),
  falsePositives: fc.nat(1e6),
  trueNegatives: fc.nat(1e6),
  falseNegatives: fc.nat(1e6),
});

describe('countConfusion()', () => {
  it('calls positive strictly above the threshold', () => {
    const { counts } = countConfusion([1, 0, 1, 0], [0.5, 0.5, 0.5000001, 0.9], 0.5);
    expect(counts).toEqual({ truePositives: 1, falsePositives: 1, trueNegatives: 1, falseNegatives: 1 });
  });

  it('counts other thresholds', () => {
    expect(countConfusion([1, 1, 0], [0.2, 0.05, 0.11], 0.1).counts).toEqual({
      truePositives: 1,
      falsePositives: 1,
      trueNegatives: 0,
      falseNegatives: 1,
    });
  });

  it('sets non-finite probabilities apart: a diverged model has no recall of 1', () => {
    const { counts, nonFinite } = countConfusion([1, 1, 0, 1], [Number.NaN, Infinity, -Infinity, 0.9], 0.5);
    expect(counts).toEqual({ truePositives: 1, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 });
    expect(nonFinite).toBe(3);
  });

  it('takes typed arrays, and mixed labels as their larger part', () => {
    const labels = Float32Array.of(0.7, 0.5, 0.3);
    expect(countConfusion(labels, Float32Array.of(0.9, 0.9, 0.1), 0.5).counts).toEqual({
      truePositives: 1,
      falsePositives: 1,
      trueNegatives: 1,
      falseNegatives: 0,
    });
  });

  it.each([
    [[1, 0], [0.5], 0.5, 'Cannot count predictions: labels must hold 1 values, one per sample, got 2'],
    [[1, 2], [0.5, 0.5], 0.5, 'Cannot count predictions: labels[1] must be in 0..1, got 2'],
    [[Number.NaN], [0.5], 0.5, 'Cannot count predictions: labels[0] must be in 0..1, got NaN'],
    [[1], [0.5], 1.5, 'Cannot count predictions: threshold must be in 0..1, got 1.5'],
  ])(
    'refuses labels %j with probabilities %j at threshold %d',
    (labels, probabilities, threshold, message) => {
      expect(() => countConfusion(labels, probabilities, threshold)).toThrow(InvalidMetricInputError);
      expect(() => countConfusion(labels, probabilities, threshold)).toThrow(message);
    },
  );
});

describe('mergeConfusion()', () => {
  it('of nothing is all zeros', () => {
    expect(Object.values(mergeConfusion())).toEqual([0, 0, 0, 0]);
  });

  it('gives the counts of the whole, however the samples are split and in whatever order', () => {
    const sample = fc.record({
      label: fc.constantFrom(0, 1),
      probability: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(sample)), fc.boolean(), (parts, reverse) => {
        const count = (samples: { label: number; probability: number }[]): ConfusionCounts =>
          countConfusion(
            samples.map(({ label }) => label),
            samples.map(({ probability }) => probability),
            0.5,
          ).counts;
        const counted = parts.map(count);
        if (reverse) counted.reverse();
        expect(mergeConfusion(...counted)).toEqual(count(parts.flat()));
      }),
    );
  });

  it('is exact up to 2^53 - 1 samples', () => {
    const many = { truePositives: 2 ** 53 - 2, falsePositives: 0, trueNegatives: 2 ** 52, falseNegatives: 3 };
    const one = { truePositives: 1, falsePositives: 1, trueNegatives: 1, falseNegatives: 1 };
    expect(mergeConfusion(many, one)).toEqual({
      truePositives: Number.MAX_SAFE_INTEGER,
      falsePositives: 1,
      trueNegatives: 2 ** 52 + 1,
      falseNegatives: 4,
    });
  });

  it('is commutative', () => {
    fc.assert(
      fc.property(countsArbitrary, countsArbitrary, (a, b) => {
        expect(mergeConfusion(a, b)).toEqual(mergeConfusion(b, a));
      }),
    );
  });

  it('is associative', () => {
    fc.assert(
      fc.property(countsArbitrary, countsArbitrary, countsArbitrary, (a, b, c) => {
        expect(mergeConfusion(mergeConfusion(a, b), c)).toEqual(mergeConfusion(a, mergeConfusion(b, c)));
      }),
    );
  });
});
