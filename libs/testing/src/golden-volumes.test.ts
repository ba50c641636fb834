import { describe, expect, it } from 'vitest';
import { readGolden } from './golden-files.ts';
import { goldenVolume } from './golden-volumes.ts';

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
