import { applyTransform, Augmenter, NO_AUGMENTATION, sampleTransform } from '../src/index.ts';
import { gaussianQuantile, philox4x32, RandomPurpose, type Words4 } from '@lunastream/random';
import { voxelCount, type Shape } from '@lunastream/volume';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

const KEY = { runSeed: 7, epoch: 3, ordinal: 1 };

/** The four numbers of two words by the method that kernels/gaussian.ts names, with Math's functions. */
function gaussiansOf(radiusWord: number, angleWord: number): number[] {
  const uniform = (bits: number) => (bits + 0.5) / 0x1_0000;
  const e = -Math.log(uniform(radiusWord >>> 16) * uniform(radiusWord & 0xffff));
  const share = ((angleWord & 0xfff) + 0.5) / 0x1000;
  return [
    [share, angleWord | 0],
    [1 - share, angleWord << 10],
  ].flatMap(([part, word]) => {
    const radius = Math.sqrt(2 * e * part!);
    const angle = (word! / 0x8000_0000) * Math.PI;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** Noise of one voxel of a sample, from nothing but its place. */
function noiseAt({ height, width }: Shape, [i, r, c]: readonly [number, number, number]): number {
  const block = 4 * ((Math.floor(i / 4) * height + r) * Math.ceil(width / 8) + Math.floor(c / 8)) + (c % 4);
  const words: Words4 = [0, 0, 0, 0];
  philox4x32([block, KEY.ordinal, RandomPurpose.noise, 0], [KEY.runSeed, KEY.epoch], words);
  const isSecondHalf = Math.floor(c / 4) % 2 === 1;
  return (isSecondHalf ? gaussiansOf(words[2], words[3]) : gaussiansOf(words[0], words[1]))[i % 4]!;
}

describe('noise', () => {
  it('of a voxel depends on its place alone, by the documented method', () => {
    const size = fc.integer({ min: 1, max: 37 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        size,
        (depth, height, width) => {
          const shape = { depth, height, width };
          const transform = sampleTransform({ ...NO_AUGMENTATION, noiseHu: 1 }, KEY);
          const sample = applyTransform(new Int16Array(voxelCount(shape)), shape, transform);
          let largest = 0;
          sample.forEach((value, at) => {
            const place = [
              Math.floor(at / (height * width)),
              Math.floor(at / width) % height,
              at % width,
            ] as const;
            largest = Math.max(largest, Math.abs(value - noiseAt(shape, place)));
          });
          expect(largest).toBeLessThan(2e-4);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is the same whatever kernel it goes through', () => {
    const shape = { depth: 6, height: 5, width: 11 };
    const voxels = new Int16Array(voxelCount(shape));
    const copied = sampleTransform({ ...NO_AUGMENTATION, noiseHu: 25 }, KEY);
    const copy = applyTransform(voxels, shape, copied);
    expect(applyTransform(voxels, shape, { ...copied, angleRadians: 1 })).toEqual(copy);
    expect(applyTransform(voxels, shape, { ...copied, elasticVoxels: 2 })).toEqual(copy);
  });
});

// Limits are five standard errors throughout.
describe('ten million noise draws', () => {
  const SHAPE = { depth: 32, height: 48, width: 48 };
  const SIZE = voxelCount(SHAPE);
  const SAMPLES = 136;
  const COUNT = SAMPLES * SIZE;
  const LAGS = [1, 2, 3, 4, 5, 6, 7, 8];
  const SLICE = SHAPE.height * SHAPE.width;
  const BINS = 200;
  const draws = new Float32Array(COUNT);

  const mean = (of: (z: number) => number) => {
    let sum = 0;
    for (let at = 0; at < COUNT; at++) sum += of(draws[at]!);
    return sum / COUNT;
  };
  const meanProduct = (lag: number, of: (z: number) => number) => {
    let sum = 0;
    for (let at = lag; at < COUNT; at++) sum += of(draws[at]!) * of(draws[at - lag]!);
    return sum / (COUNT - lag);
  };

  beforeAll(() => {
    const augmenter = new Augmenter();
    const source = { voxelsHu: new Int16Array(SIZE), shape: SHAPE };
    for (let ordinal = 0; ordinal < SAMPLES; ordinal++) {
      const voxels = draws.subarray(ordinal * SIZE, (ordinal + 1) * SIZE);
      const transform = sampleTransform({ ...NO_AUGMENTATION, noiseHu: 1 }, { ...KEY, ordinal });
      augmenter.apply(source, transform, { voxels, shape: SHAPE });
    }
  });

  it('have the first six moments of N(0, 1)', () => {
    // Standard errors are those of a mean of z^k: sqrt(E z^2k - (E z^k)^2).
    expect(Math.abs(mean((z) => z))).toBeLessThan(5 / Math.sqrt(COUNT));
    expect(Math.abs(mean((z) => z * z) - 1)).toBeLessThan(5 * Math.sqrt(2 / COUNT));
    expect(Math.abs(mean((z) => z * z * z))).toBeLessThan(5 * Math.sqrt(15 / COUNT));
    expect(Math.abs(mean((z) => z * z * z * z) - 3)).toBeLessThan(5 * Math.sqrt(96 / COUNT));
    expect(Math.abs(mean((z) => z ** 6) - 15)).toBeLessThan(5 * Math.sqrt(10170 / COUNT));
  });

  // 2 (1 - Phi(x)), scipy.stats.norm.sf.
  it.each([
    [3, 2.6997960632601866e-3],
    [4, 6.334248366623996e-5],
    [4.5, 6.795346249460095e-6],
    [5, 5.733031437583892e-7],
  ])('lie beyond %f standard deviations as often as they should', (limit, probability) => {
    const beyond = mean((z) => (Math.abs(z) > limit ? 1 : 0)) * COUNT;
    const expected = probability * COUNT;
    expect(Math.abs(beyond - expected)).toBeLessThan(5 * Math.sqrt(expected));
  });

  it('fall evenly into the quantiles of N(0, 1)', () => {
    const edges = Array.from({ length: BINS - 1 }, (_, bin) => gaussianQuantile((bin + 1) / BINS));
    const counts = new Float64Array(BINS);
    for (let at = 0; at < COUNT; at++) {
      let low = 0;
      let high = BINS - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (draws[at]! < edges[middle]!) high = middle;
        else low = middle + 1;
      }
      counts[low]!++;
    }
    const expected = COUNT / BINS;
    const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(Math.abs(chiSquared - (BINS - 1))).toBeLessThan(5 * Math.sqrt(2 * (BINS - 1)));
  });

  it('are not correlated with neighbours in a row, in other rows and slices, or in other samples', () => {
    for (const lag of [...LAGS, SHAPE.width, SLICE, 2 * SLICE, 3 * SLICE, 4 * SLICE, SIZE]) {
      expect(Math.abs(meanProduct(lag, (z) => z))).toBeLessThan(5 / Math.sqrt(COUNT - lag));
    }
  });

  it('have sizes that are not correlated either, not even where they share a logarithm or an angle', () => {
    for (const lag of [1, 4, 8, SLICE, 2 * SLICE, 3 * SLICE]) {
      expect(Math.abs(meanProduct(lag, (z) => z * z - 1))).toBeLessThan(10 / Math.sqrt(COUNT - lag));
    }
  });
});
