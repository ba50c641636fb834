/**
 * Elastic displacement: a uniform cubic B-spline over a coarse grid of control points, along each of x, y and z. The
 * basis is a tensor product, so it is summed one axis at a time: over z once per slice, over y once per row, over x per
 * voxel, where four neighbouring columns share their four control points.
 */

const AXES = 3;
const BASIS = 4;
const FLOAT_BYTES: usize = 4;
/** Slices that are made together. */
const SLICES = 4;

let isOn: bool = false;
/** Voxels between control points, and its binary logarithm: a power of two, at least 4. */
let spacing: i32 = 0;
let spacingBits: i32 = 0;
let gridHeight: i32 = 0;
let gridWidth: i32 = 0;
/** Control values in C order [axis, slice, row, column], in voxels. */
let controls: usize = 0;
/** Basis values at 0..spacing-1 voxels after a control point: [voxel][4]. */
let basis: usize = 0;
/** The same for four neighbouring voxels: [voxel / 4][4] vectors. */
let basisOfFour: usize = 0;
/** Sums over z: [slice of four, axis, row, column]. */
let slicePlanes: usize = 0;
/** Sums over z and y: [slice of four, axis, column]. */
let rowLines: usize = 0;
let gridDepth: i32 = 0;

/** Bytes of working memory of a grid. */
export function displacementBytes(height: i32, width: i32, voxelSpacing: i32): usize {
  const perSlice = <usize>(AXES * width * (height + 1)) * FLOAT_BYTES;
  return <usize>SLICES * perSlice + <usize>(2 * voxelSpacing * BASIS) * FLOAT_BYTES;
}

/** Switches displacement off. */
export function clearDisplacement(): void {
  isOn = false;
}

/** Displaces by control values at `address`: [axis, slice, row, column], the first control point a spacing before 0. */
export function setDisplacement(
  address: usize,
  depth: i32,
  height: i32,
  width: i32,
  voxelSpacing: i32,
  working: usize,
): void {
  isOn = true;
  controls = address;
  gridDepth = depth;
  gridHeight = height;
  gridWidth = width;
  spacing = voxelSpacing;
  spacingBits = ctz(voxelSpacing);
  basis = working;
  basisOfFour = basis + <usize>(spacing * BASIS) * FLOAT_BYTES;
  slicePlanes = basisOfFour + <usize>(spacing * BASIS) * FLOAT_BYTES;
  rowLines = slicePlanes + <usize>(SLICES * AXES * height * width) * FLOAT_BYTES;
  for (let voxel = 0; voxel < spacing; voxel++) {
    const t = <f64>voxel / spacing;
    const rest = 1 - t;
    storeBasis(voxel, 0, (rest * rest * rest) / 6);
    storeBasis(voxel, 1, (3 * t * t * t - 6 * t * t + 4) / 6);
    storeBasis(voxel, 2, (3 * rest * rest * rest - 6 * rest * rest + 4) / 6);
    storeBasis(voxel, 3, (t * t * t) / 6);
  }
}

function storeBasis(voxel: i32, index: i32, value: f64): void {
  store<f32>(basis + <usize>(voxel * BASIS + index) * FLOAT_BYTES, <f32>value);
  const group = (voxel >> 2) * BASIS + index;
  store<f32>(basisOfFour + <usize>(group * 4 + (voxel & 3)) * FLOAT_BYTES, <f32>value);
}

/** Sums over z for slices slice..slice+3; beyond the grid's end the last control points serve, for voxels that are dropped. */
export function startDisplacementSlices(slice: i32): void {
  if (!isOn) return;
  const plane = gridHeight * gridWidth;
  for (let lane = 0; lane < SLICES; lane++) {
    const first = min((slice + lane) >> spacingBits, gridDepth - BASIS);
    const weights = basis + <usize>(((slice + lane) & (spacing - 1)) * BASIS) * FLOAT_BYTES;
    for (let axis = 0; axis < AXES; axis++) {
      const from = controls + <usize>((axis * gridDepth + first) * plane) * FLOAT_BYTES;
      const to = slicePlanes + <usize>((lane * AXES + axis) * plane) * FLOAT_BYTES;
      sumFour(from, weights, plane, to);
    }
  }
}

/** Sums over y for one row of those slices. */
export function startDisplacementRow(row: i32): void {
  if (!isOn) return;
  const first = row >> spacingBits;
  const weights = basis + <usize>((row & (spacing - 1)) * BASIS) * FLOAT_BYTES;
  for (let line = 0; line < SLICES * AXES; line++) {
    const from = slicePlanes + <usize>((line * gridHeight + first) * gridWidth) * FLOAT_BYTES;
    sumFour(from, weights, gridWidth, rowLines + <usize>(line * gridWidth) * FLOAT_BYTES);
  }
}

/** Writes the weighted sum of four runs of `count` values that follow each other. */
function sumFour(from: usize, weights: usize, count: i32, to: usize): void {
  const w0 = load<f32>(weights);
  const w1 = load<f32>(weights, 4);
  const w2 = load<f32>(weights, 8);
  const w3 = load<f32>(weights, 12);
  const run = <usize>count * FLOAT_BYTES;
  for (let at: usize = 0; at < run; at += FLOAT_BYTES) {
    const value = from + at;
    store<f32>(
      to + at,
      w0 * load<f32>(value) +
        w1 * load<f32>(value + run) +
        w2 * load<f32>(value + 2 * run) +
        w3 * load<f32>(value + 3 * run),
    );
  }
}

/** Displacement along `axis` (0 x, 1 y, 2 z) of columns column..column+3, a multiple of four, in slice `lane` of four. */
export function displacement(axis: i32, lane: i32, column: i32): v128 {
  if (!isOn) return f32x4.splat(0);
  const line = rowLines + <usize>((lane * AXES + axis) * gridWidth + (column >> spacingBits)) * FLOAT_BYTES;
  const weights = basisOfFour + <usize>(column & (spacing - 1)) * BASIS * FLOAT_BYTES;
  return f32x4.add(
    f32x4.add(
      f32x4.mul(v128.load(weights), v128.load32_splat(line)),
      f32x4.mul(v128.load(weights, 16), v128.load32_splat(line, 4)),
    ),
    f32x4.add(
      f32x4.mul(v128.load(weights, 32), v128.load32_splat(line, 8)),
      f32x4.mul(v128.load(weights, 48), v128.load32_splat(line, 12)),
    ),
  );
}
