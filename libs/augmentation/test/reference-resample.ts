import { voxelCount, type Shape } from '@lunastream/volume';
import type { AffineMatrix } from '../src/index.ts';

/** What the kernels must agree with: trilinear resampling in float64, one voxel at a time, written for reading. */
export interface Reference {
  /** [depth, height, width], C order. */
  readonly values: Float64Array;
  /** Voxels whose position lies outside the centres of the source's outermost voxels. */
  readonly borderVoxels: number;
}

export interface ReferenceInput {
  readonly voxels: ArrayLike<number>;
  readonly sourceShape: Shape;
  readonly shape: Shape;
  readonly matrix: AffineMatrix;
  /** Added to positions: [x, y, z] in voxels for sample voxel (index, row, column). */
  readonly displacement?: (index: number, row: number, column: number) => readonly [number, number, number];
}

const SNAP_VOXELS = 1e-9;

const isOutside = (position: number, size: number) =>
  position < -SNAP_VOXELS || position > size - 1 + SNAP_VOXELS;

/** A position kept between the centres of the first and last voxel, and snapped to a centre that is very near. */
function keepInside(position: number, size: number): number {
  const inside = Math.min(size - 1, Math.max(0, position));
  const nearest = Math.round(inside);
  return Math.abs(inside - nearest) < SNAP_VOXELS ? nearest : inside;
}

/** The trilinear value at a position that `keepInside` returned. */
function interpolate(
  voxels: ArrayLike<number>,
  { depth, height, width }: Shape,
  at: readonly number[],
): number {
  const [x, y, z] = at as [number, number, number];
  let value = 0;
  for (let index = Math.floor(z); index <= Math.min(depth - 1, Math.floor(z) + 1); index++) {
    for (let row = Math.floor(y); row <= Math.min(height - 1, Math.floor(y) + 1); row++) {
      for (let column = Math.floor(x); column <= Math.min(width - 1, Math.floor(x) + 1); column++) {
        const weight = (1 - Math.abs(z - index)) * (1 - Math.abs(y - row)) * (1 - Math.abs(x - column));
        value += weight * voxels[(index * height + row) * width + column]!;
      }
    }
  }
  return value;
}

/** PyTorch's affine_grid + grid_sample with `align_corners=False, padding_mode='border'`, for a sample amid its source. */
export function referenceResample(input: ReferenceInput): Reference {
  const { voxels, sourceShape, shape, matrix: m, displacement = () => [0, 0, 0] as const } = input;
  const values = new Float64Array(voxelCount(shape));
  let borderVoxels = 0;
  let at = 0;
  const toVoxel = (coordinate: number, size: number, sourceSize: number) =>
    ((coordinate + 1) * size - 1) / 2 + (sourceSize - size) / 2;
  for (let i = 0; i < shape.depth; i++) {
    const z = (2 * i + 1) / shape.depth - 1;
    for (let r = 0; r < shape.height; r++) {
      const y = (2 * r + 1) / shape.height - 1;
      for (let c = 0; c < shape.width; c++) {
        const x = (2 * c + 1) / shape.width - 1;
        const [moveX, moveY, moveZ] = displacement(i, r, c);
        const { depth, height, width } = sourceShape;
        const atX = moveX + toVoxel(m[0] * x + m[1] * y + m[2] * z + m[3], shape.width, width);
        const atY = moveY + toVoxel(m[4] * x + m[5] * y + m[6] * z + m[7], shape.height, height);
        const atZ = moveZ + toVoxel(m[8] * x + m[9] * y + m[10] * z + m[11], shape.depth, depth);
        if (isOutside(atX, width) || isOutside(atY, height) || isOutside(atZ, depth)) borderVoxels++;
        values[at++] = interpolate(voxels, sourceShape, [
          keepInside(atX, width),
          keepInside(atY, height),
          keepInside(atZ, depth),
        ]);
      }
    }
  }
  return { values, borderVoxels };
}
