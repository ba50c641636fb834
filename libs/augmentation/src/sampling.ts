/**
 * Where a sample's voxels lie in its source chunk. Affine matrices speak of [-1, 1] coordinates, in which the sample's
 * box reaches from -1 to 1 whatever the source is; a larger source has the same centre and simply reaches further. The
 * kernels speak of voxels of the source.
 */
import type { Shape } from '@lunastream/volume';
import type { AffineMatrix } from './affine-matrix.ts';

/** Positions this close to a voxel's centre count as that centre; the same number as in `kernels/interpolation.ts`. */
const SNAP_VOXELS = 1e-9;

/** Maps [column, row, index] of the sample to voxels of the source: rows x, y, z of [column, row, index, 1] factors. */
export type VoxelMatrix = AffineMatrix;

/** `matrix` for a sample of `shape` in the middle of a source of `sourceShape`. */
export function toVoxelMatrix(matrix: AffineMatrix, shape: Shape, sourceShape: Shape): VoxelMatrix {
  const size = [shape.width, shape.height, shape.depth] as const;
  const sourceSize = [sourceShape.width, sourceShape.height, sourceShape.depth] as const;
  const row = (axis: 0 | 1 | 2) => {
    const [fromX, fromY, fromZ, offset] = [0, 1, 2, 3].map((column) => matrix[4 * axis + column]!) as [
      number,
      number,
      number,
      number,
    ];
    const perColumn = (fromX * size[axis]) / size[0];
    const perRow = (fromY * size[axis]) / size[1];
    const perIndex = (fromZ * size[axis]) / size[2];
    const toCentre =
      (perColumn * (1 - size[0])) / 2 + (perRow * (1 - size[1])) / 2 + (perIndex * (1 - size[2])) / 2;
    return [
      perColumn,
      perRow,
      perIndex,
      toCentre + (offset * size[axis]) / 2 + (sourceSize[axis] - 1) / 2,
    ] as const;
  };
  return [...row(0), ...row(1), ...row(2)];
}

/** Whether slices stay slices: z depends on the index alone, x and y on column and row alone. */
export function isInPlane(matrix: AffineMatrix): boolean {
  return matrix[2] === 0 && matrix[6] === 0 && matrix[8] === 0 && matrix[9] === 0;
}

/** Where along one axis a sample lies: between voxels `low` and `high`, `fraction` of the way. */
export interface AxisPosition {
  readonly low: number;
  readonly high: number;
  readonly fraction: number;
  /** Whether no border is repeated there. */
  readonly isInside: boolean;
}

/** Splits a position in voxels of an axis of `size`, kept between its first and last centre. */
export function locate(position: number, size: number): AxisPosition {
  const inside = Math.min(size - 1, Math.max(0, position));
  const nearest = Math.round(inside);
  const snapped = Math.abs(inside - nearest) < SNAP_VOXELS ? nearest : inside;
  const low = Math.floor(snapped);
  return {
    low,
    high: Math.min(size - 1, low + 1),
    fraction: snapped - low,
    isInside: position >= -SNAP_VOXELS && position <= size - 1 + SNAP_VOXELS,
  };
}

/** The rows and columns of the source that an in-plane matrix needs. */
export interface PlaneBox {
  readonly column: number;
  readonly row: number;
  readonly columns: number;
  readonly rows: number;
}

/** Smallest box around all positions of the sample's rows and columns, kept inside the source. */
export function planeBox(matrix: VoxelMatrix, shape: Shape, sourceShape: Shape): PlaneBox {
  const span = (row: 0 | 1, sourceSize: number) => {
    const at = [0, shape.width - 1].flatMap((column) =>
      [0, shape.height - 1].map(
        // In the order of the kernel's operations, so that rounding agrees and no voxel lies outside.
        (sampleRow) => matrix[4 * row]! * column + (matrix[4 * row + 1]! * sampleRow + matrix[4 * row + 3]!),
      ),
    );
    const low = locate(Math.min(...at), sourceSize).low;
    return { low, size: locate(Math.max(...at), sourceSize).high - low + 1 };
  };
  const columns = span(0, sourceShape.width);
  const rows = span(1, sourceShape.height);
  return { column: columns.low, columns: columns.size, row: rows.low, rows: rows.size };
}
