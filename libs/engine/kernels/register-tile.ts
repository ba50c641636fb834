// The inner loop of every dense convolution: 4, 2 or 1 neighbouring positions times 8 output channels, whose sums stay
// in registers. Each input value is loaded once per position and meets 8 weights. Sums run over kernel rows and within
// a row over its contiguous inputs, always in this order, so that a position's value depends on nothing but its inputs.

/** What the tiles of one call share. All lengths and steps in bytes. */
@unmanaged
export class TileRows {
  /** Table of `rowCount` 32-bit offsets, from a position's first input to each of its kernel rows. */
  offsets: usize;
  rowCount: i32;
  /** Contiguous inputs of one kernel row. */
  rowBytes: usize;
  /** From a position's first input to its neighbour's. */
  step: usize;
}

function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** ReLU with `floor` 0, nothing with -Infinity; NaN stays NaN. */
function atLeast(floor: v128, value: v128): v128 {
  return f32x4.pmax(value, floor);
}

/**
 * Four positions. `weights` `[row][input][8]`; sums start from the 8 values at `start`; position p's 8 results go to
 * `output + p * outputStep`.
 */
export function tileOf4(
  rows: TileRows,
  input: usize,
  weights: usize,
  start: usize,
  floor: v128,
  output: usize,
  outputStep: usize,
): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  let b0 = a0;
  let b1 = a1;
  let c0 = a0;
  let c1 = a1;
  let d0 = a0;
  let d1 = a1;
  const step = rows.step;
  const rowBytes = rows.rowBytes;
  const offsetsEnd = rows.offsets + ((<usize>rows.rowCount) << 2);
  for (let offset = rows.offsets; offset < offsetsEnd; offset += 4) {
    let a = input + load<u32>(offset);
    let b = a + step;
    let c = b + step;
    let d = c + step;
    const end = a + rowBytes;
    while (a < end) {
      const w0 = v128.load(weights);
      const w1 = v128.load(weights, 16);
      let x = v128.load_splat<f32>(a);
      a0 = multiplyAdd(a0, x, w0);
      a1 = multiplyAdd(a1, x, w1);
      x = v128.load_splat<f32>(b);
      b0 = multiplyAdd(b0, x, w0);
      b1 = multiplyAdd(b1, x, w1);
      x = v128.load_splat<f32>(c);
      c0 = multiplyAdd(c0, x, w0);
      c1 = multiplyAdd(c1, x, w1);
      x = v128.load_splat<f32>(d);
      d0 = multiplyAdd(d0, x, w0);
      d1 = multiplyAdd(d1, x, w1);
      a += 4;
      b += 4;
      c += 4;
      d += 4;
      weights += 32;
    }
  }
  v128.store(output, atLeast(floor, a0));
  v128.store(output, atLeast(floor, a1), 16);
  output += outputStep;
  v128.store(output, atLeast(floor, b0));
  v128.store(output, atLeast(floor, b1), 16);
  output += outputStep;
  v128.store(output, atLeast(floor, c0));
  v128.store(output, atLeast(floor, c1), 16);
  output += outputStep;
  v128.store(output, atLeast(floor, d0));
  v128.store(output, atLeast(floor, d1), 16);
}

/** Two positions; otherwise as `tileOf4`. */
export function tileOf2(
  rows: TileRows,
  input: usize,
  weights: usize,
  start: usize,
  floor: v128,
  output: usize,
  outputStep: usize,
): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  let b0 = a0;
  let b1 = a1;
  const step = rows.step;
  const rowBytes = rows.rowBytes;
  const offsetsEnd = rows.offsets + ((<usize>rows.rowCount) << 2);
  for (let offset = rows.offsets; offset < offsetsEnd; offset += 4) {
    let a = input + load<u32>(offset);
    let b = a + step;
    const end = a + rowBytes;
    while (a < end) {
      const w0 = v128.load(weights);
      const w1 = v128.load(weights, 16);
      let x = v128.load_splat<f32>(a);
      a0 = multiplyAdd(a0, x, w0);
      a1 = multiplyAdd(a1, x, w1);
      x = v128.load_splat<f32>(b);
      b0 = multiplyAdd(b0, x, w0);
      b1 = multiplyAdd(b1, x, w1);
      a += 4;
      b += 4;
      weights += 32;
    }
  }
  v128.store(output, atLeast(floor, a0));
  v128.store(output, atLeast(floor, a1), 16);
  output += outputStep;
  v128.store(output, atLeast(floor, b0));
  v128.store(output, atLeast(floor, b1), 16);
}

/** One position; otherwise as `tileOf4`. */
export function tileOf1(
  rows: TileRows,
  input: usize,
  weights: usize,
  start: usize,
  floor: v128,
  output: usize,
): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  const rowBytes = rows.rowBytes;
  const offsetsEnd = rows.offsets + ((<usize>rows.rowCount) << 2);
  for (let offset = rows.offsets; offset < offsetsEnd; offset += 4) {
    let a = input + load<u32>(offset);
    const end = a + rowBytes;
    while (a < end) {
      const x = v128.load_splat<f32>(a);
      a0 = multiplyAdd(a0, x, v128.load(weights));
      a1 = multiplyAdd(a1, x, v128.load(weights, 16));
      a += 4;
      weights += 32;
    }
  }
  v128.store(output, atLeast(floor, a0));
  v128.store(output, atLeast(floor, a1), 16);
}

/** `count` neighbouring positions, by the largest tiles that fit. */
export function tileRow(
  rows: TileRows,
  input: usize,
  count: i32,
  weights: usize,
  start: usize,
  floor: v128,
  output: usize,
  outputStep: usize,
): void {
  const step = rows.step;
  while (count >= 4) {
    tileOf4(rows, input, weights, start, floor, output, outputStep);
    input += 4 * step;
    output += 4 * outputStep;
    count -= 4;
  }
  if (count >= 2) {
    tileOf2(rows, input, weights, start, floor, output, outputStep);
    input += 2 * step;
    output += 2 * outputStep;
    count -= 2;
  }
  if (count == 1) tileOf1(rows, input, weights, start, floor, output);
}
