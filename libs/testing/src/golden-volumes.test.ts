import { describe, expect, it } from 'vitest';
import { readGolden } from './golden-files.ts';
import { goldenVolume, GOLDEN_SHAPE, SMALL_GOLDEN_SHAPE, smallGoldenVolume } from './golden-volumes.ts';

interface VolumeCheck {
  readonly volume: number;
  readonly sum: number;
  readonly sum_sq: number;
  readonly v_16_24_24: number;
}

describe('goldenVolume()', () => {
  const { volume_check: checks } = readGolden<{ volume_check: VolumeCheck[] }>('affine_grid_sample');

  it.each(checks)('makes volume $volume with the recorded checksums', (check) => {
    const voxels = goldenVolume(check.volume);
    expect(voxels.reduce((sum, hu) => sum + hu, 0)).toBe(check.sum);
    expect(voxels.reduce((sum, hu) => sum + hu * hu, 0)).toBe(check.sum_sq);
    expect(voxels[(16 * 48 + 24) * 48 + 24]).toBe(check.v_16_24_24);
  });
});

describe('smallGoldenVolume()', () => {
  it('is what of the volume lunamodel_small.json names', () => {
    const { crop } = readGolden<{ crop: { start: [number, number, number]; shape: number[] } }>(
      'lunamodel_small',
    );
    expect(Object.values(SMALL_GOLDEN_SHAPE)).toEqual(crop.shape);
    const whole = goldenVolume(3);
    const [depth, height, width] = crop.start;
    const at = (i: number, r: number, c: number) =>
      whole[((depth + i) * GOLDEN_SHAPE.height + height + r) * GOLDEN_SHAPE.width + width + c]!;
    const small = smallGoldenVolume(3);
    for (const [index, value] of small.entries()) {
      expect(value).toBe(at(Math.floor(index / (16 * 17)), Math.floor(index / 17) % 16, index % 17));
    }
  });
});
