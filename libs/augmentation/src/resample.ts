import type { Shape } from '@lunastream/volume';
import type { AffineMatrix } from './affine-matrix.ts';

/** A position this close to a voxel centre is that centre: keeps flips exact in spite of rounding in the matrix product. */
const SNAP_VOXELS = 1e-9;

/** Where along one axis a sample lies: between voxels `low` and `high`, `fraction` of the way. */
interface AxisPosition {
  low: number;
  high: number;
  fraction: number;
}

/** Converts a [-1, 1] coordinate to voxels of an axis of `size`, clamped to the border (`padding_mode='border'`). */
function locate(coordinate: number, size: number, position: AxisPosition): void {
  const voxel = Math.min(size - 1, Math.max(0, ((coordinate + 1) * size - 1) / 2));
  const nearest = Math.round(voxel);
  const snapped = Math.abs(voxel - nearest) < SNAP_VOXELS ? nearest : voxel;
  position.low = Math.floor(snapped);
  position.high = Math.min(size - 1, position.low + 1);
  position.fraction = snapped - position.low;
}

function mix(low: number, high: number, fraction: number): number {
  return low + (high - low) * fraction;
}

/**
 * Resamples a chunk through `matrix` by trilinear interpolation, in float64: PyTorch's affine_grid + grid_sample with
 * `align_corners=False, padding_mode='border'`.
 *
 * `voxels` and `out` have shape [depth, height, width] in C order; `voxels` is not changed, `out` is returned.
 */
export function resample<Voxels extends Float32Array | Float64Array>(
  voxels: ArrayLike<number>,
  shape: Shape,
  matrix: AffineMatrix,
  out: Voxels,
): Voxels {
  const { depth, height, width } = shape;
  const [xx, xy, xz, xOffset, yx, yy, yz, yOffset, zx, zy, zz, zOffset] = matrix;
  const column: AxisPosition = { low: 0, high: 0, fraction: 0 };
  const row: AxisPosition = { low: 0, high: 0, fraction: 0 };
  const slice: AxisPosition = { low: 0, high: 0, fraction: 0 };
  let offset = 0;
  for (let i = 0; i < depth; i++) {
    const z = (2 * i + 1) / depth - 1;
    for (let r = 0; r < height; r++) {
      const y = (2 * r + 1) / height - 1;
      for (let c = 0; c < width; c++) {
        const x = (2 * c + 1) / width - 1;
        locate(xx * x + xy * y + xz * z + xOffset, width, column);
        locate(yx * x + yy * y + yz * z + yOffset, height, row);
        locate(zx * x + zy * y + zz * z + zOffset, depth, slice);
        out[offset++] = interpolate(voxels, shape, slice, row, column);
      }
    }
  }
  return out;
}

// eslint-disable-next-line max-params -- one position per axis; an object per voxel would double the time
function interpolate(
  voxels: ArrayLike<number>,
  shape: Shape,
  slice: AxisPosition,
  row: AxisPosition,
  column: AxisPosition,
): number {
  const alongColumns = (i: number, r: number) => {
    const start = (i * shape.height + r) * shape.width;
    return mix(voxels[start + column.low]!, voxels[start + column.high]!, column.fraction);
  };
  return mix(
    mix(alongColumns(slice.low, row.low), alongColumns(slice.low, row.high), row.fraction),
    mix(alongColumns(slice.high, row.low), alongColumns(slice.high, row.high), row.fraction),
    slice.fraction,
  );
}
