import { cosineAndSine } from '@lunastream/random';
import type { SampleTransform } from './sample-transform.ts';

/**
 * Upper three rows of an affine matrix, row-major, that maps output to input positions. Rows and columns are x (column),
 * y (row), z (index); positions are in [-1, 1], where -1 and 1 are the outer faces of the first and last voxel
 * (`align_corners=False` of PyTorch's affine_grid).
 */
// prettier-ignore
export type AffineMatrix = readonly [
  xFromX: number, xFromY: number, xFromZ: number, xOffset: number,
  yFromX: number, yFromY: number, yFromZ: number, yOffset: number,
  zFromX: number, zFromY: number, zFromZ: number, zOffset: number,
];

export const IDENTITY_MATRIX: AffineMatrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

/**
 * Composes flip, offset and scale on the diagonal and last column, then the rotation on the right, as the chapter does:
 * input = scale · flip · rotation · output + offset. The rotation acts first, the offset is not rotated.
 */
export function toAffineMatrix(transform: SampleTransform): AffineMatrix {
  const [x, y, z] = transform.scale.map((scale, axis) => (transform.flip[axis] ? -scale : scale)) as [
    number,
    number,
    number,
  ];
  const [offsetX, offsetY, offsetZ] = transform.offset;
  const [cos, sin] = cosineAndSine(transform.angleRadians);
  return [x * cos, -x * sin, 0, offsetX, y * sin, y * cos, 0, offsetY, 0, 0, z, offsetZ];
}

/** Whether resampling by `matrix` would return its input. */
export function isIdentity(matrix: AffineMatrix): boolean {
  return IDENTITY_MATRIX.every((value, position) => matrix[position] === value);
}
