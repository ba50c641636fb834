import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, medianSlope, risingTrendProbability } from './rising-trend.ts';

/** Every order of 0..length - 1. */
function orders(length: number): number[][] {
  if (length === 0) return [[]];
  return orders(length - 1).flatMap((order) =>
    Array.from({ length }, (_, place) => order.toSpliced(place, 0, length - 1)),
  );
}

describe('risingTrendProbability()', () => {
  // scipy.stats.kendalltau(range(n), values, alternative='greater', method='exact').pvalue, SciPy 1.17.1.
  it.each([
    [[1, 2, 3, 4, 5], 0.008333333333333333],
    [[0.9549, 0.8471, 1.0515, 2.0594, 2.7101], 0.041666666666666664],
    [[3, 1, 2, 5, 4, 6, 8, 7], 0.007068452380952381],
    [[5, 4, 3, 2, 1], 1],
  ])('of %j is that of SciPy', (values, expected) => {
    expect(risingTrendProbability(values)).toBeCloseTo(expected, 12);
  });

  it('is the share of all orders with as few pairs that fall', () => {
    const falls = (order: number[]) =>
      order.reduce(
        (sum, value, place) => sum + order.slice(place).filter((later) => later < value).length,
        0,
      );
    const all = orders(6).map((order) => ({ order, falls: falls(order) }));
    expect(all).toHaveLength(720);
    for (const one of all.filter(({ order }) => order[0] === 2)) {
      const asClear = all.filter((other) => other.falls <= one.falls).length;
      expect(risingTrendProbability(one.order)).toBeCloseTo(asClear / 720, 12);
    }
  });

  it('errs on the large side with ties', () => {
    // 2 of the 24 orders of 1, 2, 2, 3 rise as clearly as this one.
    expect(risingTrendProbability([1, 2, 2, 3])).toBeGreaterThan(2 / 24);
    expect(risingTrendProbability([1, 1, 1])).toBeCloseTo(1, 12);
  });

  it('does not depend on the scale of the values', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(values, (series) => {
        const transformed = series.map((value) => Math.exp(value / 10));
        expect(risingTrendProbability(transformed)).toBe(risingTrendProbability(series));
      }),
    );
  });
});

describe('medianSlope()', () => {
  // scipy.stats.theilslopes(values)[0], SciPy 1.17.1.
  it.each([
    [[3, 1, 2, 5, 4, 6, 8, 7], 1],
    [[0.9549, 0.8471, 1.0515, 2.0594, 2.7101], 0.522475],
  ])('of %j is that of SciPy', (values, expected) => {
    expect(medianSlope(values)).toBeCloseTo(expected, 12);
  });

  it('is not moved by one wild value', () => {
    expect(medianSlope([0, 1, 2, 3, 1e9, 5, 6])).toBe(1);
  });
});

describe('median()', () => {
  it('is the middle, or the mean of the two middle values, in any order', () => {
    expect(median([10, 1, 9])).toBe(9);
    expect(median([10, 1, 9, 2])).toBe(5.5);
  });
});
