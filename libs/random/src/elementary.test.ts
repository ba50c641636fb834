import { describe, expect, it } from 'vitest';
import { cosineAndSine, exponential, logarithm } from './elementary.ts';
import { RandomPurpose, RandomStream } from './random-stream.ts';

const TOLERANCE = 8e-16;
const draws = (low: number, high: number) => {
  const stream = new RandomStream({ runSeed: 3, epoch: 0, ordinal: 0, purpose: RandomPurpose.transform });
  return Array.from({ length: 20_000 }, () => stream.uniformBetween(low, high));
};
const largest = (values: number[]) => values.reduce((most, value) => Math.max(most, value), 0);

// Math's functions are the reference here, within their own last bits; nothing else may use them.
describe('logarithm()', () => {
  it('agrees with Math.log over the range of doubles', () => {
    const errors = draws(-700, 700).map((power) => {
      const x = Math.exp(power);
      return Math.abs(logarithm(x) - Math.log(x)) / Math.abs(Math.log(x));
    });
    expect(largest(errors)).toBeLessThan(TOLERANCE);
  });

  it('agrees with Math.log near 1', () => {
    const errors = draws(0.5, 2).map((x) => Math.abs(logarithm(x) - Math.log(x)));
    expect(largest(errors)).toBeLessThan(TOLERANCE / 2);
  });

  it.each([
    [1, 0],
    [0, -Infinity],
    [Infinity, Infinity],
    [-1, Number.NaN],
    [Number.NaN, Number.NaN],
    [5e-324, -744.4400719213812],
  ])('of %f is %f', (x, expected) => {
    expect(logarithm(x)).toBe(expected);
  });
});

describe('exponential()', () => {
  it('agrees with Math.exp over the range of doubles', () => {
    const errors = draws(-700, 700).map((x) => Math.abs(exponential(x) / Math.exp(x) - 1));
    expect(largest(errors)).toBeLessThan(TOLERANCE);
  });

  it.each([
    [0, 1],
    [-1000, 0],
    [1000, Infinity],
    [-Infinity, 0],
    [Infinity, Infinity],
    [Number.NaN, Number.NaN],
  ])('of %f is %f', (x, expected) => {
    expect(exponential(x)).toBe(expected);
  });
});

describe('cosineAndSine()', () => {
  it.each([7, 1e6])('agrees with Math up to %f radians', (size) => {
    const errors = draws(-size, size).map((angle) => {
      const [cosine, sine] = cosineAndSine(angle);
      return Math.max(Math.abs(cosine - Math.cos(angle)), Math.abs(sine - Math.sin(angle)));
    });
    expect(largest(errors)).toBeLessThan(TOLERANCE / 2);
  });

  it('is exact at 0', () => {
    expect(cosineAndSine(0)).toEqual([1, 0]);
  });
});
