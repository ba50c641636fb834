/**
 * Resampling where slices stay slices: z depends on the output slice alone, x and y on row and column alone. Then
 * interpolation along z separates, and the in-plane weights are the same for every slice. Two passes: `resampleSlices`
 * interpolates along z into columns (z contiguous), `resampleColumns` blends four columns at a time without any gather.
 */
import { clampToSource, isInSource, lerp, loadVoxels } from './interpolation';
import { sampleDepth, sampleHeight, sampleWidth, startRow, Tile } from './sample-tile';
import { interleaveHigh, interleaveLow, joinHigh, joinLow } from './transpose';

const FLOAT_BYTES: usize = 4;
/** An entry of the slice table: byte offsets of two source slices (i32), how far between them (f32), unused. */
const SLICE_ENTRY_BYTES: usize = 16;
/** One output slice of four columns, from the entry of the slice table at `entry`. */
function interpolateSlice<Voxel>(row: usize, entry: usize): v128 {
  const low = loadVoxels<Voxel>(row + load<u32>(entry));
  const high = loadVoxels<Voxel>(row + load<u32>(entry, 4));
  return lerp(low, high, v128.load32_splat(entry, 8));
}

/**
 * Writes rows × columns columns of `paddedDepth` float32 voxels each (a multiple of 4) at `target`, in C order [row,
 * column, slice], then zeros that a blend may touch beyond the last row and column: columns + 5 columns of them.
 *
 * `source` is the address of the first voxel of the box in slice 0, `rowBytes` the distance of its rows. Up to three
 * voxels beyond the end of a row are read.
 */
function resampleSlices<Voxel>(
  source: usize,
  rowBytes: usize,
  rows: i32,
  columns: i32,
  sliceTable: usize,
  paddedDepth: i32,
  target: usize,
): void {
  const columnBytes = <usize>paddedDepth * FLOAT_BYTES;
  for (let r = 0; r < rows; r++) {
    const row = source + <usize>r * rowBytes;
    const targetRow = target + <usize>(r * columns) * columnBytes;
    for (let slice = 0; slice < paddedDepth; slice += 4) {
      const entry = sliceTable + <usize>slice * SLICE_ENTRY_BYTES;
      let out = targetRow + <usize>slice * FLOAT_BYTES;
      // The last group may write beyond its row: into columns that the next row, or the zeros, write again.
      for (let c = 0; c < columns; c += 4) {
        const at = row + c * sizeof<Voxel>();
        const s0 = interpolateSlice<Voxel>(at, entry);
        const s1 = interpolateSlice<Voxel>(at, entry + SLICE_ENTRY_BYTES);
        const s2 = interpolateSlice<Voxel>(at, entry + 2 * SLICE_ENTRY_BYTES);
        const s3 = interpolateSlice<Voxel>(at, entry + 3 * SLICE_ENTRY_BYTES);
        v128.store(out, joinLow(interleaveLow(s0, s1), interleaveLow(s2, s3)));
        v128.store(out + columnBytes, joinHigh(interleaveLow(s0, s1), interleaveLow(s2, s3)));
        v128.store(out + 2 * columnBytes, joinLow(interleaveHigh(s0, s1), interleaveHigh(s2, s3)));
        v128.store(out + 3 * columnBytes, joinHigh(interleaveHigh(s0, s1), interleaveHigh(s2, s3)));
        out += 4 * columnBytes;
      }
    }
  }
  memory.fill(target + <usize>(rows * columns) * columnBytes, 0, <usize>(columns + 5) * columnBytes);
}

export function resampleSlicesOfInt16(
  source: usize,
  rowBytes: usize,
  rows: i32,
  columns: i32,
  sliceTable: usize,
  paddedDepth: i32,
  target: usize,
): void {
  resampleSlices<i16>(source, rowBytes, rows, columns, sliceTable, paddedDepth, target);
}

export function resampleSlicesOfFloat32(
  source: usize,
  rowBytes: usize,
  rows: i32,
  columns: i32,
  sliceTable: usize,
  paddedDepth: i32,
  target: usize,
): void {
  resampleSlices<f32>(source, rowBytes, rows, columns, sliceTable, paddedDepth, target);
}

/** Number of the column at [x, y], two whole numbers. */
function columnOf(position: v128, columns: i32): usize {
  const indices = i32x4.trunc_sat_f64x2_s_zero(position);
  return <usize>(i32x4.extract_lane(indices, 1) * columns + i32x4.extract_lane(indices, 0));
}

function blend(column: usize, nextRow: usize, nextColumn: usize, fractionX: v128, fractionY: v128): v128 {
  const top = lerp(v128.load(column), v128.load(column + nextColumn), fractionX);
  const below = column + nextRow;
  const bottom = lerp(v128.load(below), v128.load(below + nextColumn), fractionX);
  return lerp(top, bottom, fractionY);
}

/**
 * Makes the sample from the columns of `resampleSlices`. x = xFromColumn · column + xFromRow · row + xOffset in voxels of
 * the box, y alike. Returns how many columns of the sample were sampled inside the source.
 */
export function resampleColumns(
  columnsAddress: usize,
  rows: i32,
  columns: i32,
  paddedDepth: i32,
  xFromColumn: f64,
  xFromRow: f64,
  xOffset: f64,
  yFromColumn: f64,
  yFromRow: f64,
  yOffset: f64,
): i32 {
  let inside = 0;
  const columnBytes = <usize>paddedDepth * FLOAT_BYTES;
  const rowBytes = <usize>columns * columnBytes;
  const last = f64x2(columns - 1, rows - 1);
  const fromColumn = f64x2(xFromColumn, yFromColumn);
  for (let r = 0; r < sampleHeight; r++) {
    startRow(r, 0, paddedDepth >> 2);
    const start = f64x2(xFromRow * r + xOffset, yFromRow * r + yOffset);
    for (let c = 0; c < sampleWidth; c += 4) {
      const position0 = f64x2.add(f64x2.mul(fromColumn, f64x2.splat(c)), start);
      const position1 = f64x2.add(f64x2.mul(fromColumn, f64x2.splat(c + 1)), start);
      const position2 = f64x2.add(f64x2.mul(fromColumn, f64x2.splat(c + 2)), start);
      const position3 = f64x2.add(f64x2.mul(fromColumn, f64x2.splat(c + 3)), start);
      inside += i32(isInSource(position0, last));
      inside += i32(c + 1 < sampleWidth && isInSource(position1, last));
      inside += i32(c + 2 < sampleWidth && isInSource(position2, last));
      inside += i32(c + 3 < sampleWidth && isInSource(position3, last));
      const at0 = clampToSource(position0, last);
      const at1 = clampToSource(position1, last);
      const at2 = clampToSource(position2, last);
      const at3 = clampToSource(position3, last);
      const low0 = f64x2.floor(at0);
      const low1 = f64x2.floor(at1);
      const low2 = f64x2.floor(at2);
      const low3 = f64x2.floor(at3);
      const fraction0 = f32x4.demote_f64x2_zero(f64x2.sub(at0, low0));
      const fraction1 = f32x4.demote_f64x2_zero(f64x2.sub(at1, low1));
      const fraction2 = f32x4.demote_f64x2_zero(f64x2.sub(at2, low2));
      const fraction3 = f32x4.demote_f64x2_zero(f64x2.sub(at3, low3));
      const fractionX0 = v128.shuffle<u32>(fraction0, fraction0, 0, 0, 0, 0);
      const fractionY0 = v128.shuffle<u32>(fraction0, fraction0, 1, 1, 1, 1);
      const fractionX1 = v128.shuffle<u32>(fraction1, fraction1, 0, 0, 0, 0);
      const fractionY1 = v128.shuffle<u32>(fraction1, fraction1, 1, 1, 1, 1);
      const fractionX2 = v128.shuffle<u32>(fraction2, fraction2, 0, 0, 0, 0);
      const fractionY2 = v128.shuffle<u32>(fraction2, fraction2, 1, 1, 1, 1);
      const fractionX3 = v128.shuffle<u32>(fraction3, fraction3, 0, 0, 0, 0);
      const fractionY3 = v128.shuffle<u32>(fraction3, fraction3, 1, 1, 1, 1);
      let column0 = columnsAddress + columnOf(low0, columns) * columnBytes;
      let column1 = columnsAddress + columnOf(low1, columns) * columnBytes;
      let column2 = columnsAddress + columnOf(low2, columns) * columnBytes;
      let column3 = columnsAddress + columnOf(low3, columns) * columnBytes;
      for (let slice = 0; slice < sampleDepth; slice += 4) {
        const c0 = blend(column0, rowBytes, columnBytes, fractionX0, fractionY0);
        const c1 = blend(column1, rowBytes, columnBytes, fractionX1, fractionY1);
        const c2 = blend(column2, rowBytes, columnBytes, fractionX2, fractionY2);
        const c3 = blend(column3, rowBytes, columnBytes, fractionX3, fractionY3);
        Tile.store(
          joinLow(interleaveLow(c0, c1), interleaveLow(c2, c3)),
          joinHigh(interleaveLow(c0, c1), interleaveLow(c2, c3)),
          joinLow(interleaveHigh(c0, c1), interleaveHigh(c2, c3)),
          joinHigh(interleaveHigh(c0, c1), interleaveHigh(c2, c3)),
          slice,
          r,
          c,
        );
        column0 += 16;
        column1 += 16;
        column2 += 16;
        column3 += 16;
      }
    }
  }
  return inside;
}
