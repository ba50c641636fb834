import { Augmenter, type AffineMatrix } from '../src/index.ts';
import { goldenVolume, GOLDEN_SHAPE, readGolden } from '@lunastream/testing';
import { voxelCount, type Shape } from '@lunastream/volume';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceResample } from './reference-resample.ts';

interface Golden {
  readonly matrices: { id: number; name: string; m: number[][] }[];
  readonly positions_irc: [number, number, number][];
  readonly cases: { volume: number; matrix: number; values_f32: number[]; values_f64: number[] }[];
}

// make_affine_golden.py: torch affine_grid + grid_sample(padding_mode='border', align_corners=False); matrices are
// float32 there, positions are read in float32 (values_f32) and float64 (values_f64).
const golden = readGolden<Golden>('affine_grid_sample');
const volumes = [0, 1, 2, 3, 4, 5].map(goldenVolume);
const { height, width } = GOLDEN_SHAPE;
const augmenter = new Augmenter();

/** So small a tilt that it moves nothing by a millionth of a voxel, yet the general kernel must be used. */
const tilted = (matrix: AffineMatrix): AffineMatrix => matrix.with(2, 1e-30) as unknown as AffineMatrix;

function resample(
  voxelsHu: Int16Array | Float32Array,
  sourceShape: Shape,
  matrix: AffineMatrix,
  shape = sourceShape,
) {
  const voxels = new Float32Array(voxelCount(shape));
  const report = augmenter.resample({ voxelsHu, shape: sourceShape }, matrix, { voxels, shape });
  return { voxels, ...report };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let largest = 0;
  for (let at = 0; at < a.length; at++) largest = Math.max(largest, Math.abs(a[at]! - b[at]!));
  return largest;
};

describe.each(golden.matrices)('golden case $name', ({ id, m }) => {
  const matrix = m.slice(0, 3).flat().map(Math.fround) as unknown as AffineMatrix;
  const cases = golden.cases.filter((entry) => entry.matrix === id);
  const expected = (values: number[], actual: ArrayLike<number>) =>
    Math.max(
      ...golden.positions_irc.map(([i, r, c], position) =>
        Math.abs(actual[(i * height + r) * width + c]! - values[position]!),
      ),
    );

  it('agrees with PyTorch in the kernel that serves it and in the general one, from int16 and float32', () => {
    expect(cases).toHaveLength(6);
    for (const { volume, values_f32 } of cases) {
      for (const used of [matrix, tilted(matrix)]) {
        const fromFloat = resample(volumes[volume]!, GOLDEN_SHAPE, used).voxels;
        expect(expected(values_f32, fromFloat)).toBeLessThanOrEqual(2e-2);
        const fromInt16 = resample(Int16Array.from(volumes[volume]!), GOLDEN_SHAPE, used).voxels;
        expect(largestDifference(fromInt16, fromFloat)).toBe(0);
      }
    }
  });

  it('agrees with PyTorch in the float64 reference, and the kernels with the reference everywhere', () => {
    const { volume, values_f64 } = cases[id % 6]!;
    const voxels = volumes[volume]!;
    const reference = referenceResample({ voxels, sourceShape: GOLDEN_SHAPE, shape: GOLDEN_SHAPE, matrix });
    expect(expected(values_f64, reference.values)).toBeLessThanOrEqual(1e-5);
    for (const used of [matrix, tilted(matrix)]) {
      const { voxels: sample, borderFraction } = resample(voxels, GOLDEN_SHAPE, used);
      expect(largestDifference(sample, reference.values)).toBeLessThanOrEqual(5e-3);
      expect(borderFraction).toBe(reference.borderVoxels / sample.length);
    }
  });
});

const smallShape = fc.record({
  depth: fc.integer({ min: 1, max: 9 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
});
const factor = fc.double({ min: -2, max: 2, noNaN: true });
const voxelOf = (at: number) => ((at * 2654435761) % 2001) - 1000;

describe('Augmenter.resample()', () => {
  it('agrees with the reference for any affine matrix, any shape and any margin', () => {
    fc.assert(
      fc.property(
        smallShape,
        fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)),
        fc.array(factor, { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        (shape, [z, y, x], values, isInPlane) => {
          const sourceShape = {
            depth: shape.depth + 2 * z,
            height: shape.height + 2 * y,
            width: shape.width + 2 * x,
          };
          if (isInPlane) for (const at of [2, 6, 8, 9]) values[at] = 0;
          const matrix = values as unknown as AffineMatrix;
          const voxels = Int16Array.from({ length: voxelCount(sourceShape) }, (_, at) => voxelOf(at));
          const reference = referenceResample({ voxels, sourceShape, shape, matrix });
          const { voxels: sample, borderFraction } = resample(voxels, sourceShape, matrix, shape);
          expect(largestDifference(sample, reference.values)).toBeLessThanOrEqual(5e-3);
          expect(borderFraction).toBe(reference.borderVoxels / sample.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('repeats the only voxel of a one-voxel axis', () => {
    const shape = { depth: 1, height: 1, width: 3 };
    const { voxels } = resample(Int16Array.of(1, 2, 3), shape, [1, 0, 0, 0, 0, 1, 0, 0.7, 0, 0, -1, 0]);
    expect([...voxels]).toEqual([1, 2, 3]);
  });

  it.each([Number.NaN, Infinity, 1e7])('refuses %f in a matrix', (value) => {
    const shape = { depth: 1, height: 1, width: 3 };
    expect(() => resample(Int16Array.of(1, 2, 3), shape, [value, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])).toThrow(
      'Cannot apply a transform: matrix must be of numbers in ±1000000',
    );
  });
});
