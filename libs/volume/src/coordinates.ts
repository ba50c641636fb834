/**
 * The two frames a place in a scan can be given in, as branded triples that only this file makes, so that a patient
 * coordinate can never be used as a voxel index by accident.
 *
 * - `Irc`: integer voxel position [index, row, column]; C order, column runs fastest. May be negative (a window's start).
 * - `ContinuousIrc`: the same axes, fractions of voxels; a voxel's centre is at whole numbers.
 * - `XyzMm`: patient coordinates [x, y, z] in millimetres, as LUNA16's CSVs and MetaImage headers state them.
 */

declare const frame: unique symbol;

/** Integer voxel position [index, row, column]. */
export type Irc = readonly [index: number, row: number, column: number] & { readonly [frame]: 'irc' };

/** Fractional voxel position [index, row, column]; voxel centres lie at whole numbers. */
export type ContinuousIrc = readonly [index: number, row: number, column: number] & {
  readonly [frame]: 'continuous-irc';
};

/** Patient coordinates [x, y, z] in millimetres. */
export type XyzMm = readonly [x: number, y: number, z: number] & { readonly [frame]: 'xyz-mm' };

/** Extent in voxels: depth counts indices (slices), height rows, width columns. */
export interface Shape {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
}

/** @throws RangeError when a component is not an integer: rounding is the caller's decision. */
export function irc(index: number, row: number, column: number): Irc {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(row) || !Number.isSafeInteger(column)) {
    throw new RangeError(
      `Cannot make an Irc: components must be integers, got [${index}, ${row}, ${column}]`,
    );
  }
  return [index, row, column] as unknown as Irc;
}

export function continuousIrc(index: number, row: number, column: number): ContinuousIrc {
  return [index, row, column] as unknown as ContinuousIrc;
}

/** @throws RangeError when a component is NaN or infinite. */
export function xyzMm(x: number, y: number, z: number): XyzMm {
  if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) {
    throw new RangeError(`Cannot make an XyzMm: components must be finite, got [${x}, ${y}, ${z}]`);
  }
  return [x, y, z] as unknown as XyzMm;
}

/** Number of voxels of a box of `shape`. */
export function voxelCount(shape: Shape): number {
  return shape.depth * shape.height * shape.width;
}

export function isSameShape(a: Shape, b: Shape): boolean {
  return a.depth === b.depth && a.height === b.height && a.width === b.width;
}

/** `depth x height x width`, as `32x48x48`; `parseShape` reads it back. */
export function formatShape(shape: Shape): string {
  return `${shape.depth}x${shape.height}x${shape.width}`;
}

// Five digits: larger than any scanner's matrix, and the product of three stays an exact integer.
const SHAPE_PATTERN = /^([1-9]\d{0,4})x([1-9]\d{0,4})x([1-9]\d{0,4})$/;

/** Reads `32x48x48`. @throws RangeError for anything but three whole numbers of 1..99999 joined by `x`. */
export function parseShape(text: string): Shape {
  const match = SHAPE_PATTERN.exec(text);
  if (match === null) {
    throw new RangeError(
      `Cannot read a shape: it must be depth x height x width as in 32x48x48, got ${JSON.stringify(text)}`,
    );
  }
  return { depth: Number(match[1]), height: Number(match[2]), width: Number(match[3]) };
}
