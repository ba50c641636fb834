/**
 * Puts the slices of a series in order and makes one volume of them, or says why they are none. The order comes from the
 * positions along the slices' normal: file names and InstanceNumber may run in any order.
 */
import { formatShape, voxelCount, xyzMm, type Shape } from '../coordinates.ts';
import { BadImageError } from '../errors.ts';
import type { VolumeGeometry } from '../geometry.ts';
import { cross, directionOf, dot, norm, scale, subtract, type Vector } from '../oriented-axes.ts';
import { ATTRIBUTES, dicomFault } from './dicom-attributes.ts';
import type { SliceHeader } from './slice-header.ts';

export interface OrderedSeries {
  readonly geometry: VolumeGeometry;
  /** In order of their index in the volume. */
  readonly slices: readonly SliceHeader[];
}

interface Placed {
  readonly slice: SliceHeader;
  /** Along the normal, mm. */
  readonly height: number;
}

const LARGEST_DIRECTION_DIFFERENCE = 1e-3;
// Positions are written with two to six decimals; steps may differ by their rounding, or by this part of a step.
const LARGEST_STEP_ERROR_MM = 0.01;
const LARGEST_STEP_ERROR_PART = 0.01;
// A step of this many usual steps leaves room for a slice.
const MISSING_SLICE_STEPS = 1.5;
// A drift of the slices against their normal by more than this part of the way is a tilt: 0.06 degrees.
const LARGEST_DRIFT_PART = 1e-3;
const LARGEST_DRIFT_MM = 0.05;
const MOST_VOXELS = 2 ** 31;

function assertAlike(first: SliceHeader, slice: SliceHeader): void {
  const path = slice.source.name;
  const other = `in all files of a series, it differs from ${first.source.name}`;
  if (slice.seriesUid !== first.seriesUid) {
    throw dicomFault(
      path,
      ATTRIBUTES.seriesUid,
      `must be the same in all files of the folder, it differs from ${first.source.name}`,
    );
  }
  if (slice.rows !== first.rows) throw dicomFault(path, ATTRIBUTES.rows, `must be the same ${other}`);
  if (slice.columns !== first.columns)
    throw dicomFault(path, ATTRIBUTES.columns, `must be the same ${other}`);
  const isSpacingSame = slice.pixelSpacing.every(
    (spacing, axis) => Math.abs(spacing / first.pixelSpacing[axis as 0 | 1] - 1) <= 1e-4,
  );
  if (!isSpacingSame) throw dicomFault(path, ATTRIBUTES.pixelSpacing, `must be the same ${other}`);
  const differences = [
    subtract(slice.rowDirection, first.rowDirection),
    subtract(slice.columnDirection, first.columnDirection),
  ];
  if (!differences.every((difference) => norm(difference) <= LARGEST_DIRECTION_DIFFERENCE)) {
    throw dicomFault(path, ATTRIBUTES.orientation, `must be the same ${other}`);
  }
}

/** Neighbours in order of their height, with the step between them. */
function stepsOf(
  placed: readonly Placed[],
): { readonly step: number; readonly from: string; readonly to: string }[] {
  return placed.slice(1).map(({ height, slice }, index) => {
    const before = placed[index]!;
    return { step: height - before.height, from: before.slice.source.name, to: slice.source.name };
  });
}

function assertSteps(placed: readonly Placed[]): void {
  const steps = stepsOf(placed);
  for (const { step, from, to } of steps) {
    if (step >= LARGEST_STEP_ERROR_MM) continue;
    const rule = `must differ from slice to slice, it is that of ${from} (a duplicate, or a series with time)`;
    throw dicomFault(to, ATTRIBUTES.position, rule);
  }
  const sorted = steps.map(({ step }) => step).sort((a, b) => a - b);
  // The lower of two in the middle: of two steps, the long one has the gap.
  const usual = sorted[Math.floor((sorted.length - 1) / 2)]!;
  const tolerance = Math.max(LARGEST_STEP_ERROR_MM, usual * LARGEST_STEP_ERROR_PART);
  for (const { step, from, to } of steps) {
    if (Math.abs(step - usual) <= tolerance) continue;
    const missing = Math.round(step / usual) - 1;
    const reason = step > usual * MISSING_SLICE_STEPS ? `${missing} missing` : 'steps are uneven';
    const rule = `must follow that of ${from} by ${usual.toFixed(3)} mm, got ${step.toFixed(3)}: ${reason}`;
    throw dicomFault(to, ATTRIBUTES.position, rule);
  }
}

/** Slices of a tilted gantry lie behind each other along the table, not along their normal. */
function assertNoTilt(placed: readonly Placed[], normal: Vector): void {
  const [first] = placed;
  for (const { slice, height } of placed.slice(1)) {
    const way = subtract(slice.position, first!.slice.position);
    const drift = norm(subtract(way, scale(normal, dot(way, normal))));
    if (drift > Math.max(LARGEST_DRIFT_MM, (height - first!.height) * LARGEST_DRIFT_PART)) {
      const rule = `must lie on the normal of the slices, it is ${drift.toFixed(2)} mm beside it (a tilted gantry)`;
      throw dicomFault(slice.source.name, ATTRIBUTES.position, rule);
    }
  }
}

function assertSize(shape: Shape, path: string): void {
  if (voxelCount(shape) > MOST_VOXELS) {
    throw new BadImageError(`a series must have at most ${MOST_VOXELS} voxels, got ${formatShape(shape)}`, {
      path,
    });
  }
}

/**
 * @param slices one or more, in any order.
 * @throws BadImageError naming file and tag: slices that are not alike, fewer than two, at one place, at uneven steps,
 * with a gap, or of a tilted gantry.
 */
export function orderSlices(slices: readonly SliceHeader[], folder: string): OrderedSeries {
  const [first] = slices;
  if (first === undefined || slices.length < 2) {
    const rule = `must be given for two slices at least (the distance of slices is unknown), got ${slices.length}`;
    throw dicomFault(folder, ATTRIBUTES.position, rule);
  }
  slices.forEach((slice) => assertAlike(first, slice));
  const normal = cross(first.rowDirection, first.columnDirection);
  const placed = slices
    .map((slice) => ({ slice, height: dot(slice.position, normal) }))
    .sort((a, b) => a.height - b.height);
  assertSteps(placed);
  assertNoTilt(placed, normal);
  const lowest = placed[0]!;
  const highest = placed.at(-1)!;
  const shape = { depth: slices.length, height: first.rows, width: first.columns };
  assertSize(shape, folder);
  const [betweenRows, betweenColumns] = first.pixelSpacing;
  const step = (highest.height - lowest.height) / (slices.length - 1);
  return {
    geometry: {
      shape,
      originXyzMm: xyzMm(...lowest.slice.position),
      spacingXyzMm: xyzMm(betweenColumns, betweenRows, step),
      direction: directionOf(first.rowDirection, first.columnDirection, normal),
    },
    slices: placed.map(({ slice }) => slice),
  };
}
