import type { XyzMm } from './coordinates.ts';
import { xyzMm } from './coordinates.ts';
import type { Matrix3 } from './geometry.ts';

export type Vector = readonly [x: number, y: number, z: number];

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function subtract(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function scale(a: Vector, factor: number): Vector {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

export function norm(a: Vector): number {
  return Math.hypot(...a);
}

/** The direction matrix whose columns are the unit vectors of the column, row and index axis. */
export function directionOf(column: Vector, row: Vector, index: Vector): Matrix3 {
  return [column[0], row[0], index[0], column[1], row[1], index[1], column[2], row[2], index[2]];
}

// A cosine of 1e-3 is 0.06 degrees: 0.4 mm over a chest. Headers in float32 or six decimals are a hundredfold closer.
const LARGEST_COSINE = 1e-3;

/** True when no two of the axes lean towards each other: a scan taken with a tilted gantry has axes that do. */
export function arePerpendicular(axes: readonly [Vector, Vector, Vector]): boolean {
  const [a, b, c] = axes;
  return (
    [
      [a, b],
      [a, c],
      [b, c],
    ] as const
  ).every(([first, second]) => Math.abs(dot(first, second)) <= LARGEST_COSINE * norm(first) * norm(second));
}

/** Spacing and direction of the steps in mm from a voxel to the next along column, row and index axis. */
export function fromSteps(steps: readonly [Vector, Vector, Vector]): {
  readonly spacingXyzMm: XyzMm;
  readonly direction: Matrix3;
} {
  const [column, row, index] = steps;
  return {
    spacingXyzMm: xyzMm(norm(column), norm(row), norm(index)),
    direction: directionOf(
      scale(column, 1 / norm(column)),
      scale(row, 1 / norm(row)),
      scale(index, 1 / norm(index)),
    ),
  };
}
