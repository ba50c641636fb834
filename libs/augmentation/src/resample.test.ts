import { goldenVolume, GOLDEN_SHAPE, readGolden } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import type { AffineMatrix } from './affine-matrix.ts';
import { resample } from './resample.ts';

interface Golden {
  readonly matrices: { id: number; name: string; m: number[][] }[];
  readonly positions_irc: [number, number, number][];
  readonly cases: { volume: number; matrix: number; values_f32: number[]; values_f64: number[] }[];
}

// make_affine_golden.py: torch affine_grid + grid_sample(padding_mode='border', align_corners=False); matrices are
// float32 there, positions are read in float32 (values_f32) and float64 (values_f64).
const golden = readGolden<Golden>('affine_grid_sample');
const volumes = [0, 1, 2, 3, 4, 5].map(goldenVolume);
const { depth, height, width } = GOLDEN_SHAPE;
const size = depth * height * width;

describe('resample()', () => {
  it.each(golden.matrices)('agrees with PyTorch on six volumes through $name', ({ id, m }) => {
    const matrix = m.slice(0, 3).flat().map(Math.fround) as unknown as AffineMatrix;
    const cases = golden.cases.filter((entry) => entry.matrix === id);
    expect(cases).toHaveLength(6);
    for (const { volume, values_f32, values_f64 } of cases) {
      const float32 = resample(volumes[volume]!, GOLDEN_SHAPE, matrix, new Float32Array(size));
      const float64 = resample(volumes[volume]!, GOLDEN_SHAPE, matrix, new Float64Array(size));
      golden.positions_irc.forEach(([i, r, c], position) => {
        const at = (i * height + r) * width + c;
        expect(Math.abs(float32[at]! - values_f32[position]!)).toBeLessThanOrEqual(2e-2);
        expect(Math.abs(float64[at]! - values_f64[position]!)).toBeLessThanOrEqual(1e-5);
      });
    }
  });

  it('repeats the only voxel of a one-voxel axis', () => {
    const out = resample(
      [1, 2, 3],
      { depth: 1, height: 1, width: 3 },
      [1, 0, 0, 0, 0, 1, 0, 0.7, 0, 0, -1, 0],
      new Float32Array(3),
    );
    expect([...out]).toEqual([1, 2, 3]);
  });
});
