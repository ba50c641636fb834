import { describe, expect, it } from 'vitest';
import { CHAPTER_AUGMENTATION, NO_AUGMENTATION } from './augmentation-settings.ts';
import { isIdentity, toAffineMatrix } from './affine-matrix.ts';
import { sampleTransform } from './sample-transform.ts';

const draw = (ordinal: number, settings = CHAPTER_AUGMENTATION) =>
  sampleTransform(settings, { runSeed: 1, epoch: 1, ordinal });

describe('sampleTransform()', () => {
  it('is a pure function of settings and key', () => {
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  it('draws every axis independently, within the strengths', () => {
    const draws = Array.from({ length: 2000 }, (_, ordinal) => draw(ordinal));
    for (const axis of [0, 1, 2] as const) {
      const flips = draws.filter((transform) => transform.flip[axis]).length;
      expect(Math.abs(flips - 1000)).toBeLessThan(5 * Math.sqrt(500));
      expect(Math.max(...draws.map((transform) => Math.abs(transform.offset[axis])))).toBeLessThanOrEqual(
        0.1,
      );
      expect(Math.max(...draws.map((transform) => Math.abs(transform.offset[axis])))).toBeGreaterThan(0.099);
      expect(Math.max(...draws.map((transform) => Math.abs(transform.scale[axis] - 1)))).toBeLessThanOrEqual(
        0.2,
      );
      expect(Math.max(...draws.map((transform) => Math.abs(transform.scale[axis] - 1)))).toBeGreaterThan(
        0.198,
      );
    }
    expect(new Set(draws.map((transform) => transform.flip.join())).size).toBe(8);
    expect(Math.max(...draws.map((transform) => transform.angleRadians))).toBeGreaterThan(6.27);
  });

  it('keeps the other draws when one transform is switched off', () => {
    const { flip, offset, angleRadians } = draw(9);
    expect(draw(9, { ...CHAPTER_AUGMENTATION, scale: 0, noiseHu: 0 })).toMatchObject({
      flip,
      offset,
      angleRadians,
    });
  });

  it('keeps all other draws when a further transform is switched on', () => {
    const further = { elasticVoxels: 2, huShift: 30, huScale: 0.1, mixupAlpha: 0.4 };
    const all = draw(9, { ...CHAPTER_AUGMENTATION, ...further });
    expect(draw(9)).toMatchObject({ elasticVoxels: 0, huGain: 1, huShift: 0, mixupLambda: 1 });
    const { flip, offset, scale, angleRadians } = draw(9);
    expect(all).toMatchObject({ flip, offset, scale, angleRadians });
    for (const name of ['elasticVoxels', 'huShift', 'huScale', 'mixupAlpha'] as const) {
      const changed = name === 'huScale' ? 'huGain' : name === 'mixupAlpha' ? 'mixupLambda' : name;
      const { [changed]: own, ...rest } = draw(9, { ...CHAPTER_AUGMENTATION, ...further, [name]: 0 });
      const { [changed]: drawn, ...expected } = all;
      expect(rest).toEqual(expected);
      expect(own).not.toBe(drawn);
    }
  });

  it('draws intensities within their strengths, and mixup weights that favour the sample itself', () => {
    const draws = Array.from({ length: 1000 }, (_, ordinal) =>
      draw(ordinal, { ...NO_AUGMENTATION, huShift: 30, huScale: 0.1, mixupAlpha: 0.2 }),
    );
    const largest = (of: (transform: (typeof draws)[0]) => number) => Math.max(...draws.map(of));
    expect(largest(({ huGain }) => Math.abs(huGain - 1))).toBeLessThan(0.1);
    expect(largest(({ huGain }) => Math.abs(huGain - 1))).toBeGreaterThan(0.099);
    expect(largest(({ huShift }) => Math.abs(huShift))).toBeLessThan(30);
    expect(largest(({ huShift }) => Math.abs(huShift))).toBeGreaterThan(29.7);
    expect(draws.every(({ mixupLambda }) => mixupLambda >= 0.5 && mixupLambda <= 1)).toBe(true);
    // Beta(0.2, 0.2) lies near 0 or 1 more often than between.
    expect(draws.filter(({ mixupLambda }) => mixupLambda > 0.9).length).toBeGreaterThan(600);
    expect(draws.filter(({ mixupLambda }) => mixupLambda < 0.6).length).toBeGreaterThan(20);
  });

  it('moves nothing when all transforms are off', () => {
    expect(isIdentity(toAffineMatrix(draw(9, NO_AUGMENTATION)))).toBe(true);
  });

  it.each([
    [{ offset: -0.1 }, /offset: it must be in 0\.\.1, got -0\.1/],
    [{ scale: 1 }, /scale: it must be at least 0 and below 1, got 1/],
    [{ noiseHu: Number.NaN }, /noiseHu: it must be in 0\.\.1000, got NaN/],
    [{ noiseHu: -1 }, /noiseHu.*got -1/],
    [{ elasticVoxels: 6.5 }, /elasticVoxels: it must be in 0\.\.6, got 6\.5/],
    [{ huShift: Infinity }, /huShift: it must be in 0\.\.1000, got Infinity/],
    [{ huScale: 1 }, /huScale: it must be in 0\.\.0\.9, got 1/],
    [{ mixupAlpha: 0.001 }, /mixupAlpha: it must be 0 or in 0\.01\.\.10, got 0\.001/],
  ])('refuses %j', (settings, message) => {
    expect(() => draw(0, { ...CHAPTER_AUGMENTATION, ...settings })).toThrow(message);
  });
});
