import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestThresholdByCost, bestThresholdByFBeta } from './best-threshold.ts';
import { countConfusion } from './confusion-counts.ts';
import { rankSamples } from './ranking.ts';
import { fBeta } from './scores.ts';

const samples = fc.array(
  fc.record({
    label: fc.constantFrom(0, 1),
    probability: fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  }),
  { minLength: 1, maxLength: 40 },
);
/** Between and at all probabilities of `samples`. */
const EVERY_THRESHOLD = Array.from({ length: 41 }, (_, n) => n / 40);

describe('bestThresholdByFBeta()', () => {
  it('has the highest F-score of all thresholds, and its counts', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.1, max: 10, noNaN: true }), (items, beta) => {
        const labels = items.map(({ label }) => label);
        const probabilities = items.map(({ probability }) => probability);
        const best = bestThresholdByFBeta(rankSamples(labels, probabilities), beta);
        fc.pre(best !== undefined);
        const { counts } = countConfusion(labels, probabilities, best.threshold);
        expect(best.counts).toEqual(counts);
        expect(best.value).toBe(fBeta(counts, beta));
        const all = EVERY_THRESHOLD.map(
          (threshold) => fBeta(countConfusion(labels, probabilities, threshold).counts, beta) ?? 0,
        );
        expect(best.value).toBe(Math.max(...all));
      }),
    );
  });

  it('lies half-way between the probabilities it parts', () => {
    const best = bestThresholdByFBeta(rankSamples([1, 1, 0, 0], [0.875, 0.75, 0.25, 0.125]), 1)!;
    expect(best).toEqual({
      threshold: 0.5,
      counts: { truePositives: 2, falsePositives: 0, trueNegatives: 2, falseNegatives: 0 },
      value: 1,
    });
  });

  it('calls more as beta grows', () => {
    const ranking = rankSamples([1, 0, 1, 0, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]);
    const thresholds = [0.1, 1, 5].map((beta) => bestThresholdByFBeta(ranking, beta)!.threshold);
    expect(thresholds.map((threshold) => Number(threshold.toFixed(2)))).toEqual([0.85, 0.65, 0.25]);
  });

  it('is undefined without positives', () => {
    expect(bestThresholdByFBeta(rankSamples([0, 0], [0.2, 0.4]), 1)).toBeUndefined();
  });

  it('refuses a negative beta', () => {
    expect(() => bestThresholdByFBeta(rankSamples([1], [0.5]), -1)).toThrow(/beta must be 0 or more, got -1/);
  });
});

describe('bestThresholdByCost()', () => {
  const cost = fc.integer({ min: 0, max: 30 });

  it('has the lowest cost of all thresholds, the fewest calls of several, and its counts', () => {
    fc.assert(
      fc.property(samples, cost, cost, (items, falsePositive, falseNegative) => {
        const labels = items.map(({ label }) => label);
        const probabilities = items.map(({ probability }) => probability);
        const countsAt = (threshold: number) => countConfusion(labels, probabilities, threshold).counts;
        const costAt = (threshold: number) => {
          const counts = countsAt(threshold);
          return counts.falsePositives * falsePositive + counts.falseNegatives * falseNegative;
        };
        const best = bestThresholdByCost(rankSamples(labels, probabilities), {
          falsePositive,
          falseNegative,
        })!;
        expect(best.counts).toEqual(countsAt(best.threshold));
        expect(best.value).toBe(costAt(best.threshold));
        const lowest = Math.min(...EVERY_THRESHOLD.map(costAt));
        expect(best.value).toBe(lowest);
        const highest = Math.max(...EVERY_THRESHOLD.filter((threshold) => costAt(threshold) === lowest));
        expect(countsAt(highest)).toEqual(best.counts);
      }),
    );
  });

  it('calls nothing when a false alarm is dear, and all that a threshold can when a miss is', () => {
    const ranking = rankSamples([1, 0, 1, 0], [0.6, 0.7, 0.1, 0.2]);
    expect(bestThresholdByCost(ranking, { falsePositive: 9, falseNegative: 1 })).toMatchObject({
      threshold: 1,
      value: 2,
    });
    expect(bestThresholdByCost(ranking, { falsePositive: 1, falseNegative: 9 })).toMatchObject({
      threshold: 0.05,
      value: 2,
    });
    expect(
      bestThresholdByCost(rankSamples([1, 0], [0, 0.5]), { falsePositive: 0, falseNegative: 1 })!.counts,
    ).toMatchObject({ falseNegatives: 1 });
  });

  it('is undefined without samples', () => {
    expect(bestThresholdByCost(rankSamples([], []), { falsePositive: 1, falseNegative: 1 })).toBeUndefined();
  });

  it.each([
    [{ falsePositive: -1, falseNegative: 1 }, 'falsePositive must cost 0 or more, finite, got -1'],
    [{ falsePositive: 1, falseNegative: Number.NaN }, 'falseNegative must cost 0 or more, finite, got NaN'],
    [
      { falsePositive: 1, falseNegative: Infinity },
      'falseNegative must cost 0 or more, finite, got Infinity',
    ],
  ])('refuses the costs %j', (costs, message) => {
    expect(() => bestThresholdByCost(rankSamples([1], [0.5]), costs)).toThrow(
      `Cannot find a threshold: ${message}`,
    );
  });
});
