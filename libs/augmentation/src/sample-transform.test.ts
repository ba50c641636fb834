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

  it('moves nothing when all transforms are off', () => {
    expect(isIdentity(toAffineMatrix(draw(9, NO_AUGMENTATION)))).toBe(true);
  });

  it.each([
    [{ offset: -0.1 }, /offset: it must be in 0\.\.1, got -0\.1/],
    [{ scale: 1 }, /scale: it must be at least 0 and below 1, got 1/],
    [{ noiseHu: Number.NaN }, /noiseHu: it must be a finite number of HU, at least 0, got NaN/],
    [{ noiseHu: -1 }, /noiseHu.*got -1/],
  ])('refuses %j', (settings, message) => {
    expect(() => draw(0, { ...CHAPTER_AUGMENTATION, ...settings })).toThrow(message);
  });
});
