import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countConfusion } from './confusion-counts.ts';
import { countsAt, rankSamples } from './ranking.ts';

const probability = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  // Neighbouring doubles, subnormals and both ends: where a half-way threshold has no room.
  fc.constantFrom(0, Number.MIN_VALUE, 2 * Number.MIN_VALUE, 0.5, 0.5 + 2 ** -53, 1 - 2 ** -53, 1),
);
const samples = fc.array(fc.record({ label: fc.constantFrom(0, 1), probability }), { maxLength: 40 });

describe('rankSamples()', () => {
  it('holds the counts of every threshold: those that countConfusion() finds with its thresholds', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const labels = items.map((item) => item.label);
        const probabilities = items.map((item) => item.probability);
        const ranking = rankSamples(labels, probabilities);
        const distinct = new Set(probabilities.map((p) => p + 0)).size;
        expect(ranking.thresholds).toHaveLength(distinct + 1);
        for (const [point, threshold] of ranking.thresholds.entries()) {
          if (threshold === -Infinity) continue;
          expect(countConfusion(labels, probabilities, threshold).counts).toEqual(countsAt(ranking, point));
        }
      }),
    );
  });

  it('begins with no calls, ends with all, and puts thresholds half-way', () => {
    expect(rankSamples([1, 0, 1, 0], [0.75, 0.25, 0.25, 0.5])).toEqual({
      thresholds: [1, 0.625, 0.375, 0.125],
      truePositives: [0, 1, 1, 2],
      falsePositives: [0, 0, 1, 2],
      positives: 2,
      negatives: 2,
      nonFinite: 0,
    });
  });

  it('has no threshold in 0..1 that calls a probability of 0', () => {
    expect(rankSamples([1, 0], [0, 0.5]).thresholds).toEqual([1, 0.25, -Infinity]);
  });

  it('counts non-finite probabilities apart', () => {
    const { positives, negatives, nonFinite } = rankSamples([1, 1, 0, 0], [NaN, Infinity, -Infinity, 0.3]);
    expect({ positives, negatives, nonFinite }).toEqual({ positives: 0, negatives: 1, nonFinite: 3 });
  });

  it('of nothing has one point', () => {
    expect(rankSamples([], [])).toMatchObject({ thresholds: [1], truePositives: [0], positives: 0 });
  });

  it('leaves its arguments as they are', () => {
    const probabilities = Float64Array.of(0.1, 0.9, 0.5);
    rankSamples([0, 1, 1], probabilities);
    expect([...probabilities]).toEqual([0.1, 0.9, 0.5]);
  });

  it('refuses arrays of different lengths', () => {
    expect(() => rankSamples([1], [0.5, 0.5])).toThrow(
      /^Cannot rank predictions: labels must hold 2 values, one per sample, got 1$/,
    );
  });
});
