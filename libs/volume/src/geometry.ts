/**
 * Where voxels lie in the patient. With D the direction matrix, s the spacing and o the origin,
 *
 *     xyz = o + D * diag(s) * (column, row, index)
 *
 * and back by the inverse of D from the left, right for any invertible D. (The book's program multiplies by the inverse
 * from the right, which is the transpose of the right answer: correct only for symmetric D; chapter12-facts B1.)
 *
 * D is stored row-major as ITK's `GetDirection()` prints it: column k of D, that is `direction[k]`, `direction[3 + k]`,
 * `direction[6 + k]`, is the patient direction of image axis k (0 column, 1 row, 2 index). A MetaImage header lists the
 * same numbers axis by axis, so the text of `TransformMatrix` is D's transpose: see `directionFromTransformMatrix`.
 */
import {
  continuousIrc,
  irc,
  xyzMm,
  type ContinuousIrc,
  type Irc,
  type Shape,
  type XyzMm,
} from './coordinates.ts';
import { BadGeometryError } from './errors.ts';
import { roundHalfEven } from './round-half-even.ts';

/** Nine numbers, row-major. */
export type Matrix3 = readonly [number, number, number, number, number, number, number, number, number];

export const IDENTITY_DIRECTION: Matrix3 = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export interface VolumeGeometry {
  readonly shape: Shape;
  /** Centre of voxel [0, 0, 0]. */
  readonly originXyzMm: XyzMm;
  /** Distance of neighbours along column, row and index axis: [x, y, z] for an identity direction. Positive. */
  readonly spacingXyzMm: XyzMm;
  /** Row-major; column k is the patient direction of image axis k. */
  readonly direction: Matrix3;
}

// Smaller than the determinant of any rotation by 13 orders of magnitude; larger than rounding leaves of a zero one.
const SINGULAR_DETERMINANT = 1e-13;

function determinant(m: Matrix3): number {
  const [a, b, c, d, e, f, g, h, i] = m;
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

/** True when `direction` has an inverse, so that patient coordinates lead back to voxels. */
export function isInvertible(direction: Matrix3): boolean {
  const value = determinant(direction);
  return Number.isFinite(value) && Math.abs(value) > SINGULAR_DETERMINANT;
}

function invert(m: Matrix3): Matrix3 {
  const [a, b, c, d, e, f, g, h, i] = m;
  const scale = 1 / determinant(m);
  return [
    (e * i - f * h) * scale,
    (c * h - b * i) * scale,
    (b * f - c * e) * scale,
    (f * g - d * i) * scale,
    (a * i - c * g) * scale,
    (c * d - a * f) * scale,
    (d * h - e * g) * scale,
    (b * g - a * h) * scale,
    (a * e - b * d) * scale,
  ];
}

function multiply(m: Matrix3, x: number, y: number, z: number): [number, number, number] {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

function transpose(m: Matrix3): Matrix3 {
  return [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
}

/**
 * D from the nine numbers of a MetaImage `TransformMatrix` in text order. Numbers 0..2 are the direction of the column
 * axis, 3..5 of the row axis, 6..8 of the index axis (ITK's MetaImageIO hands triple k to `SetDirection(k)`, which fills
 * column k of the direction matrix), hence a transpose.
 */
export function directionFromTransformMatrix(textOrder: Matrix3): Matrix3 {
  return transpose(textOrder);
}

/** The numbers of `direction` in the text order of a MetaImage `TransformMatrix`. */
export function directionToTransformMatrix(direction: Matrix3): Matrix3 {
  return transpose(direction);
}

/** @throws BadGeometryError naming the first field that breaks its rule. */
export function assertGeometry(geometry: VolumeGeometry): void {
  const { shape, originXyzMm, spacingXyzMm, direction } = geometry;
  const extents = [shape.depth, shape.height, shape.width];
  if (!extents.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw new BadGeometryError('shape', `must be three positive integers, got ${extents.join('x')}`);
  }
  if (!spacingXyzMm.every((spacing) => Number.isFinite(spacing) && spacing > 0)) {
    throw new BadGeometryError('spacingXyzMm', `must be positive and finite, got ${spacingXyzMm.join(' ')}`);
  }
  if (!originXyzMm.every(Number.isFinite)) {
    throw new BadGeometryError('originXyzMm', `must be finite, got ${originXyzMm.join(' ')}`);
  }
  if (!isInvertible(direction)) {
    throw new BadGeometryError('direction', `must be an invertible matrix, got ${direction.join(' ')}`);
  }
}

/** Patient coordinates of a voxel's centre (or of any place between, for a `ContinuousIrc`). */
export function ircToXyz(geometry: VolumeGeometry, position: Irc | ContinuousIrc): XyzMm {
  const [index, row, column] = position;
  const { originXyzMm: origin, spacingXyzMm: spacing } = geometry;
  const [x, y, z] = multiply(geometry.direction, column * spacing[0], row * spacing[1], index * spacing[2]);
  return xyzMm(origin[0] + x, origin[1] + y, origin[2] + z);
}

/** The inverse of `ircToXyz`, unrounded. `geometry` must have an invertible direction (`assertGeometry`). */
export function xyzToContinuousIrc(geometry: VolumeGeometry, position: XyzMm): ContinuousIrc {
  const { originXyzMm: origin, spacingXyzMm: spacing } = geometry;
  const [alongColumn, alongRow, alongIndex] = multiply(
    invert(geometry.direction),
    position[0] - origin[0],
    position[1] - origin[1],
    position[2] - origin[2],
  );
  return continuousIrc(alongIndex / spacing[2], alongRow / spacing[1], alongColumn / spacing[0]);
}

// A coordinate so large that arithmetic overflows still is a place outside every volume, not a crash.
function nearestInteger(value: number): number {
  if (Number.isNaN(value) || value >= Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  return value <= Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : roundHalfEven(value);
}

/**
 * The voxel nearest to `position`; a tie goes to the even index. It may lie outside the volume: ask `containsIrc`.
 * Positions beyond the safe integers are cut to them.
 */
export function xyzToIrc(geometry: VolumeGeometry, position: XyzMm): Irc {
  const [index, row, column] = xyzToContinuousIrc(geometry, position);
  return irc(nearestInteger(index), nearestInteger(row), nearestInteger(column));
}

/** True when `position` is a voxel of a volume of `shape`. */
export function containsIrc(shape: Shape, position: Irc): boolean {
  const [index, row, column] = position;
  return (
    index >= 0 && index < shape.depth && row >= 0 && row < shape.height && column >= 0 && column < shape.width
  );
}
