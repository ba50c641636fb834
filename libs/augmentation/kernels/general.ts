/**
 * Resampling through any affine matrix, with or without elastic displacement: eight source voxels are gathered for each
 * voxel of the sample. Positions are float64 as in the in-plane kernel, so that both give the same result.
 */
import { displacement, startDisplacementRow, startDisplacementSlices } from './displacement';
import { clampToSource, lerp, SNAP_VOXELS } from './interpolation';
import { sampleDepth, sampleHeight, sampleWidth, startRow, Tile } from './sample-tile';
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from './transpose';

const FLOAT_BYTES: usize = 4;

// The source: float32, C order, followed by a slice, a row and two voxels of zeros.
let source: usize = 0;
let lastX: v128 = f64x2.splat(0);
let lastY: v128 = f64x2.splat(0);
let lastZ: v128 = f64x2.splat(0);
let rowBytes: usize = 0;
let sliceBytes: usize = 0;
/** Twelve float64: rows x, y, z of a matrix from [column, row, slice, 1] to voxels of the source. */
let matrix: usize = 0;
let borderVoxels: i32 = 0;

/** 1 in the low bits for each of two positions that lie outside 0..last. */
function outsideBits(position: v128, last: v128): i32 {
  const before = f64x2.lt(position, f64x2.splat(-SNAP_VOXELS));
  const behind = f64x2.gt(position, f64x2.add(last, f64x2.splat(SNAP_VOXELS)));
  return i64x2.bitmask(v128.or(before, behind));
}

/** Positions along one axis of columns column..column+1 (offset + column · step), displaced. */
function position(step: f64, offset: f64, column: i32, displaced: v128): v128 {
  const columns = f64x2(column, column + 1);
  return f64x2.add(
    f64x2.add(f64x2.mul(f64x2.splat(step), columns), f64x2.splat(offset)),
    f64x2.promote_low_f32x4(displaced),
  );
}

function joinIndices(low: v128, high: v128): v128 {
  return v128.shuffle<u64>(i32x4.trunc_sat_f64x2_s_zero(low), i32x4.trunc_sat_f64x2_s_zero(high), 0, 2);
}

function joinFractions(low: v128, lowFloor: v128, high: v128, highFloor: v128): v128 {
  return v128.shuffle<u64>(
    f32x4.demote_f64x2_zero(f64x2.sub(low, lowFloor)),
    f32x4.demote_f64x2_zero(f64x2.sub(high, highFloor)),
    0,
    2,
  );
}

/** Interpolated along z: the voxels [row, column] = [0, 0], [0, 1], [1, 0], [1, 1] from the one at `address`. */
function gather(address: usize, fractionZ: v128): v128 {
  const below = address + sliceBytes;
  const low = v128.load64_lane(address + rowBytes, v128.load64_zero(address), 1);
  const high = v128.load64_lane(below + rowBytes, v128.load64_zero(below), 1);
  return lerp(low, high, fractionZ);
}

/** Voxels column..column+3 of one row and slice of the sample; `lane` is the slice's number in its group of four. */
function interpolateFour(slice: i32, row: i32, column: i32, lane: i32, isCounted: bool): v128 {
  const xOffset = load<f64>(matrix, 8) * row + load<f64>(matrix, 16) * slice + load<f64>(matrix, 24);
  const yOffset = load<f64>(matrix, 40) * row + load<f64>(matrix, 48) * slice + load<f64>(matrix, 56);
  const zOffset = load<f64>(matrix, 72) * row + load<f64>(matrix, 80) * slice + load<f64>(matrix, 88);
  const xStep = load<f64>(matrix, 0);
  const yStep = load<f64>(matrix, 32);
  const zStep = load<f64>(matrix, 64);
  const byX = displacement(0, lane, column);
  const byY = displacement(1, lane, column);
  const byZ = displacement(2, lane, column);
  const x01 = position(xStep, xOffset, column, byX);
  const x23 = position(xStep, xOffset, column + 2, v128.shuffle<u64>(byX, byX, 1, 1));
  const y01 = position(yStep, yOffset, column, byY);
  const y23 = position(yStep, yOffset, column + 2, v128.shuffle<u64>(byY, byY, 1, 1));
  const z01 = position(zStep, zOffset, column, byZ);
  const z23 = position(zStep, zOffset, column + 2, v128.shuffle<u64>(byZ, byZ, 1, 1));
  if (isCounted) {
    const outside =
      outsideBits(x01, lastX) |
      outsideBits(y01, lastY) |
      outsideBits(z01, lastZ) |
      ((outsideBits(x23, lastX) | outsideBits(y23, lastY) | outsideBits(z23, lastZ)) << 2);
    borderVoxels += popcnt(outside & ((1 << min(4, sampleWidth - column)) - 1));
  }

  const inX01 = clampToSource(x01, lastX);
  const inX23 = clampToSource(x23, lastX);
  const inY01 = clampToSource(y01, lastY);
  const inY23 = clampToSource(y23, lastY);
  const inZ01 = clampToSource(z01, lastZ);
  const inZ23 = clampToSource(z23, lastZ);
  const lowX01 = f64x2.floor(inX01);
  const lowX23 = f64x2.floor(inX23);
  const lowY01 = f64x2.floor(inY01);
  const lowY23 = f64x2.floor(inY23);
  const lowZ01 = f64x2.floor(inZ01);
  const lowZ23 = f64x2.floor(inZ23);
  const fractionX = joinFractions(inX01, lowX01, inX23, lowX23);
  const fractionY = joinFractions(inY01, lowY01, inY23, lowY23);
  const fractionZ = joinFractions(inZ01, lowZ01, inZ23, lowZ23);
  const offsets = i32x4.add(
    i32x4.shl(joinIndices(lowX01, lowX23), 2),
    i32x4.add(
      i32x4.mul(joinIndices(lowY01, lowY23), i32x4.splat(<i32>rowBytes)),
      i32x4.mul(joinIndices(lowZ01, lowZ23), i32x4.splat(<i32>sliceBytes)),
    ),
  );

  const v0 = gather(
    source + i32x4.extract_lane(offsets, 0),
    v128.shuffle<u32>(fractionZ, fractionZ, 0, 0, 0, 0),
  );
  const v1 = gather(
    source + i32x4.extract_lane(offsets, 1),
    v128.shuffle<u32>(fractionZ, fractionZ, 1, 1, 1, 1),
  );
  const v2 = gather(
    source + i32x4.extract_lane(offsets, 2),
    v128.shuffle<u32>(fractionZ, fractionZ, 2, 2, 2, 2),
  );
  const v3 = gather(
    source + i32x4.extract_lane(offsets, 3),
    v128.shuffle<u32>(fractionZ, fractionZ, 3, 3, 3, 3),
  );
  const row0 = lerp(
    joinLow(interleaveLow(v0, v1), interleaveLow(v2, v3)),
    joinHigh(interleaveLow(v0, v1), interleaveLow(v2, v3)),
    fractionX,
  );
  const row1 = lerp(
    joinLow(interleaveHigh(v0, v1), interleaveHigh(v2, v3)),
    joinHigh(interleaveHigh(v0, v1), interleaveHigh(v2, v3)),
    fractionX,
  );
  return lerp(row0, row1, fractionY);
}

/**
 * Makes the sample from depth × height × width float32 voxels at `sourceAddress` through the matrix at `matrixAddress`.
 * Returns how many voxels were sampled outside the source, where its border is repeated.
 */
export function resampleGeneral(
  sourceAddress: usize,
  depth: i32,
  height: i32,
  width: i32,
  matrixAddress: usize,
): i32 {
  source = sourceAddress;
  matrix = matrixAddress;
  rowBytes = <usize>width * FLOAT_BYTES;
  sliceBytes = <usize>height * rowBytes;
  lastX = f64x2.splat(width - 1);
  lastY = f64x2.splat(height - 1);
  lastZ = f64x2.splat(depth - 1);
  borderVoxels = 0;
  memory.fill(source + <usize>depth * sliceBytes, 0, sliceBytes + rowBytes + 2 * FLOAT_BYTES);
  for (let slice = 0; slice < sampleDepth; slice += 4) {
    startDisplacementSlices(slice);
    for (let row = 0; row < sampleHeight; row++) {
      startRow(row, slice >> 2, 1);
      startDisplacementRow(row);
      for (let column = 0; column < sampleWidth; column += 4) {
        Tile.store(
          interpolateFour(slice, row, column, 0, true),
          interpolateFour(slice + 1, row, column, 1, slice + 1 < sampleDepth),
          interpolateFour(slice + 2, row, column, 2, slice + 2 < sampleDepth),
          interpolateFour(slice + 3, row, column, 3, slice + 3 < sampleDepth),
          slice,
          row,
          column,
        );
      }
    }
  }
  return borderVoxels;
}
