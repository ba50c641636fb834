import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomPurpose, RandomStream, type RandomKey } from './random-stream.ts';

const KEY: RandomKey = { runSeed: 7, epoch: 3, ordinal: 11, purpose: RandomPurpose.noise };
const take = (key: RandomKey, count: number) => {
  const stream = new RandomStream(key);
  return Array.from({ length: count }, () => stream.uint32());
};

describe('RandomStream', () => {
  it('gives equal draws for equal keys', () => {
    expect(take(KEY, 100)).toEqual(take({ ...KEY }, 100));
  });

  it('gives other draws when any word of the key changes', () => {
    const first = take(KEY, 4);
    for (const change of [
      { runSeed: 8 },
      { epoch: 4 },
      { ordinal: 12 },
      { purpose: RandomPurpose.transform },
    ]) {
      expect(take({ ...KEY, ...change }, 4)).not.toEqual(first);
    }
  });

  it('refuses a seed that is not an unsigned 32-bit integer', () => {
    for (const runSeed of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => new RandomStream({ ...KEY, runSeed })).toThrow(/runSeed.*0\.\.4294967295/);
    }
  });

  it('uniform() has the mean, variance and lag correlation of U(0,1) over a million draws', () => {
    const stream = new RandomStream(KEY);
    const count = 1_000_000;
    let sum = 0;
    let sumOfSquares = 0;
    let lagProduct = 0;
    let previous = 0;
    for (let draw = 0; draw < count; draw++) {
      const centred = stream.uniform() - 0.5;
      sum += centred;
      sumOfSquares += centred * centred;
      lagProduct += centred * previous;
      previous = centred;
    }
    // Five standard errors of each statistic.
    expect(Math.abs(sum / count)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
    expect(Math.abs(sumOfSquares / count - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / count));
    expect(Math.abs(lagProduct / count)).toBeLessThan(5 / 12 / Math.sqrt(count));
  });

  it('gaussian() has the first four moments of N(0,1) over a million draws', () => {
    const stream = new RandomStream({ ...KEY, ordinal: 1 });
    const count = 1_000_000;
    const moments = [0, 0, 0, 0];
    for (let draw = 0; draw < count; draw++) {
      const z = stream.gaussian();
      moments[0]! += z;
      moments[1]! += z * z;
      moments[2]! += z ** 3;
      moments[3]! += z ** 4;
    }
    const [mean, variance, skewness, kurtosis] = moments.map((sum) => sum / count) as [
      number,
      number,
      number,
      number,
    ];
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(skewness)).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
  });

  it.each([0.2, 1, 3])('symmetricBeta(%f) has the first four moments of its distribution', (shape) => {
    const stream = new RandomStream({ ...KEY, purpose: RandomPurpose.mixup });
    const count = 100_000;
    const centred = Array.from({ length: count }, () => stream.symmetricBeta(shape) - 0.5);
    expect(Math.max(...centred.slice(0, 10_000).map(Math.abs))).toBeLessThanOrEqual(0.5);
    const moment = (power: number) => centred.reduce((sum, value) => sum + value ** power, 0) / count;
    // Variance 1 / (4 (2a + 1)); fourth moment 3 / (16 (2a + 1) (2a + 3)); no |value| is above 1/2.
    const variance = 1 / (4 * (2 * shape + 1));
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(variance / count));
    expect(Math.abs(moment(2) - variance)).toBeLessThan(5 * 0.25 * Math.sqrt(1 / count));
    expect(Math.abs(moment(4) - 3 / (16 * (2 * shape + 1) * (2 * shape + 3)))).toBeLessThan(
      (5 * 0.0625) / Math.sqrt(count),
    );
  });

  it.each([0, -1, Number.NaN, 2000])('symmetricBeta() refuses the shape %f', (shape) => {
    expect(() => new RandomStream(KEY).symmetricBeta(shape)).toThrow(/0\.001\.\.1000/);
  });

  it('integerBelow() stays in range and reaches both ends', () => {
    const stream = new RandomStream(KEY);
    const seen = new Set(Array.from({ length: 1000 }, () => stream.integerBelow(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(() => stream.integerBelow(0)).toThrow(RangeError);
  });

  it('shuffle() permutes, and the same key permutes alike', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), (items, ordinal) => {
        const once = new RandomStream({ ...KEY, ordinal }).shuffle([...items]);
        const twice = new RandomStream({ ...KEY, ordinal }).shuffle([...items]);
        expect(once).toEqual(twice);
        expect([...once].sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });
});
