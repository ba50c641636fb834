import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyTransform } from './apply-transform.ts';
import { CHAPTER_AUGMENTATION, NO_AUGMENTATION, type AugmentationSettings } from './augmentation-settings.ts';
import { sampleTransform, type SampleKey } from './sample-transform.ts';

const SHAPE = { depth: 4, height: 6, width: 6 };
const KEY: SampleKey = { runSeed: 7, epoch: 2, ordinal: 5 };
const chunk = Int16Array.from({ length: 4 * 6 * 6 }, (_, voxel) => ((voxel * 2654435761) % 2001) - 1000);
const augment = (settings: Partial<AugmentationSettings>, key = KEY) =>
  applyTransform(chunk, SHAPE, sampleTransform({ ...NO_AUGMENTATION, ...settings }, key));
const meanAbsoluteDifference = (a: Float32Array, b: ArrayLike<number>) =>
  a.reduce((sum, value, at) => sum + Math.abs(value - b[at]!), 0) / a.length;

describe('applyTransform()', () => {
  it('returns the chunk unchanged when no transform is on', () => {
    expect([...augment({})]).toEqual([...chunk]);
  });

  it('flip keeps every voxel value and is its own inverse', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1000 }), (ordinal) => {
        const transform = sampleTransform({ ...NO_AUGMENTATION, flip: true }, { ...KEY, ordinal });
        const flipped = applyTransform(chunk, SHAPE, transform);
        expect([...flipped].sort()).toEqual([...Float32Array.from(chunk)].sort());
        expect([...applyTransform(flipped, SHAPE, transform)]).toEqual([...chunk]);
      }),
    );
  });

  it('four quarter turns return the chunk', () => {
    const quarter = { ...sampleTransform(NO_AUGMENTATION, KEY), angleRadians: Math.PI / 2 };
    let turned: Float32Array = Float32Array.from(chunk);
    for (let turn = 0; turn < 4; turn++) turned = applyTransform(turned, SHAPE, quarter);
    expect([...turned]).toEqual([...chunk]);
  });

  it('rotation leaves every slice in its slice', () => {
    const slices = Int16Array.from({ length: 4 * 6 * 6 }, (_, voxel) => Math.floor(voxel / 36));
    const rotated = applyTransform(slices, SHAPE, sampleTransform({ ...NO_AUGMENTATION, rotate: true }, KEY));
    rotated.forEach((value, voxel) => expect(value).toBeCloseTo(Math.floor(voxel / 36), 6));
  });

  it('an offset of one voxel shifts by one voxel and repeats the border', () => {
    const transform = { ...sampleTransform(NO_AUGMENTATION, KEY), offset: [2 / 6, 0, 0] as const };
    const shifted = applyTransform(chunk, SHAPE, transform);
    expect([...shifted.subarray(0, 6)]).toEqual([...chunk.subarray(1, 6), chunk[5]]);
  });

  it('noise has the standard deviation asked for and differs between samples', () => {
    const shape = { depth: 32, height: 48, width: 48 };
    const flat = new Int16Array(32 * 48 * 48);
    const settings = { ...NO_AUGMENTATION, noiseHu: 25 };
    const noise = applyTransform(flat, shape, sampleTransform(settings, KEY));
    const variance = noise.reduce((sum, hu) => sum + hu * hu, 0) / noise.length;
    expect(Math.sqrt(variance)).toBeGreaterThan(25 * (1 - 4 / Math.sqrt(2 * noise.length)));
    expect(Math.sqrt(variance)).toBeLessThan(25 * (1 + 4 / Math.sqrt(2 * noise.length)));
    expect(applyTransform(flat, shape, sampleTransform(settings, { ...KEY, ordinal: 6 }))).not.toEqual(noise);
  });

  it.each([
    ['flip', { flip: true }],
    ['offset', { offset: 0.1 }],
    ['scale', { scale: 0.2 }],
    ['rotate', { rotate: true }],
    ['noise', { noiseHu: 25 }],
    ['all five', CHAPTER_AUGMENTATION],
  ] as const)('%s alone changes the chunk', (_, settings) => {
    expect(meanAbsoluteDifference(augment(settings, { ...KEY, ordinal: 3 }), chunk)).toBeGreaterThan(1);
  });

  it('gives equal bytes for a transform that went through JSON', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 50 }), (ordinal, epoch) => {
        const transform = sampleTransform(CHAPTER_AUGMENTATION, { ...KEY, ordinal, epoch });
        const stored = JSON.parse(JSON.stringify(transform)) as typeof transform;
        expect(applyTransform(chunk, SHAPE, stored)).toEqual(applyTransform(chunk, SHAPE, transform));
      }),
      { numRuns: 25 },
    );
  });

  it('refuses voxels that do not fill the shape', () => {
    expect(() => applyTransform(chunk.subarray(1), SHAPE, sampleTransform(NO_AUGMENTATION, KEY))).toThrow(
      'Cannot transform a chunk of 4x6x6: it must have 144 voxels, got 143',
    );
  });
});
