/**
 * How a synthetic scan lies in space. In-plane spacing, slice distance and origin vary as in LUNA16; every third scan
 * has flipped axes and every third an oblique direction, so that code which takes the direction for an identity matrix
 * is caught by its data.
 */
import type { RandomStream } from '@lunastream/random';
import { xyzMm, type Matrix3, type Shape, type VolumeGeometry } from '@lunastream/volume';
import { lungCentreMm } from './chest-anatomy.ts';
import { add, cross, normalised, randomDirection, scaled, type Vector } from '../geometry/vector.ts';

export interface SyntheticView {
  readonly geometry: VolumeGeometry;
  /** Where in patient coordinates the middle of the chest lies. */
  readonly chestOrigin: Vector;
}

const IN_PLANE_SPACING_MM = [0.55, 0.85] as const;
const SLICE_SPACING_MM = [1, 2.5] as const;
// The lungs are about 230 mm high; more slices would show neck and belly only.
const CHEST_HEIGHT_MM = 340;
// A narrower view is centred on one lung.
const BOTH_LUNGS_WIDTH_MM = 240;
const VIEW_SHIFT_MM = 20;
const LARGEST_TILT_RADIANS = 0.3;

/** Columns of the matrix are the directions of the column, row and index axis. */
function matrixOf(columns: readonly [Vector, Vector, Vector]): Matrix3 {
  const [a, b, c] = columns;
  return [a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]];
}

/** A rotation by at most 17 degrees about a random axis (Rodrigues' formula, a column at a time). */
function obliqueDirection(random: RandomStream): Matrix3 {
  const axis = randomDirection(random);
  const angle = random.uniformBetween(LARGEST_TILT_RADIANS / 3, LARGEST_TILT_RADIANS);
  const turned = (v: Vector): Vector => {
    const parallel = scaled(axis, (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1 - Math.cos(angle)));
    return add(add(scaled(v, Math.cos(angle)), scaled(cross(axis, v), Math.sin(angle))), parallel);
  };
  const first = normalised(turned([1, 0, 0]));
  const second = normalised(turned([0, 1, 0]));
  return matrixOf([first, second, cross(first, second)]);
}

const FLIPS: readonly Matrix3[] = [
  [-1, 0, 0, 0, -1, 0, 0, 0, 1],
  [1, 0, 0, 0, -1, 0, 0, 0, -1],
];

function directionOf(scanIndex: number, random: RandomStream): Matrix3 {
  switch (scanIndex % 3) {
    case 0:
      return [1, 0, 0, 0, 1, 0, 0, 0, 1];
    case 1:
      return FLIPS[random.integerBelow(FLIPS.length)]!;
    default:
      return obliqueDirection(random);
  }
}

/** Draws how scan `scanIndex`, of `shape`, lies. */
export function sampleSyntheticView(shape: Shape, scanIndex: number, random: RandomStream): SyntheticView {
  const inPlaneMm = random.uniformBetween(...IN_PLANE_SPACING_MM);
  const thickestMm = Math.max(
    SLICE_SPACING_MM[0],
    Math.min(SLICE_SPACING_MM[1], CHEST_HEIGHT_MM / shape.depth),
  );
  const sliceMm = random.uniformBetween(SLICE_SPACING_MM[0], thickestMm);
  const direction = directionOf(scanIndex, random);
  const shift = () => random.uniformBetween(-VIEW_SHIFT_MM, VIEW_SHIFT_MM);
  const showsBoth = shape.width * inPlaneMm >= BOTH_LUNGS_WIDTH_MM;
  const side = random.uniform() < 0.5 ? -1 : 1;
  const middle: Vector = showsBoth ? [0, 0, shift()] : add(lungCentreMm(side), [shift(), shift(), shift()]);
  const chestOrigin: Vector = [shift(), shift() - 150, random.uniformBetween(-600, 200)];
  const alongColumn = ((shape.width - 1) / 2) * inPlaneMm;
  const alongRow = ((shape.height - 1) / 2) * inPlaneMm;
  const alongIndex = ((shape.depth - 1) / 2) * sliceMm;
  const corner = [0, 1, 2].map((axis) => {
    const [a, b, c] = direction.slice(3 * axis, 3 * axis + 3) as [number, number, number];
    return chestOrigin[axis]! + middle[axis]! - (a * alongColumn + b * alongRow + c * alongIndex);
  }) as [number, number, number];
  const geometry: VolumeGeometry = {
    shape,
    originXyzMm: xyzMm(...corner),
    spacingXyzMm: xyzMm(inPlaneMm, inPlaneMm, sliceMm),
    direction,
  };
  return { geometry, chestOrigin };
}
