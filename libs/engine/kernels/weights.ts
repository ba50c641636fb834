// Kernels of convolutions on their way between the layout they are kept in and those that they are computed with.

/** The kept ("plain") layout is any order of tap, input and output channel; its strides are in bytes and may be negative. */
@unmanaged
export class WeightsArguments {
  /** Address of tap 0, input 0, output 0. */
  plain: usize;
  tapStride: i32;
  inputStride: i32;
  outputStride: i32;
  inputs: i32;
  outputs: i32;
  rowCount: i32;
  /** Taps of one kernel row. */
  rowTaps: i32;
  packed: usize;
}

function plainAt(a: WeightsArguments, tap: i32, input: i32, output: i32): usize {
  return a.plain + <usize>(tap * a.tapStride + input * a.inputStride + output * a.outputStride);
}

/** For register tiles: `[outputs / 8, rounded up][tap][input][8]`, filled up with zeros. Task: a block of 8 outputs. */
export function packBlocks(a: WeightsArguments, task: i32): void {
  const taps = a.rowCount * a.rowTaps;
  let to = a.packed + ((<usize>(task * taps * a.inputs * 8)) << 2);
  for (let tap = 0; tap < taps; tap++) {
    for (let input = 0; input < a.inputs; input++) {
      for (let output = 8 * task; output < 8 * task + 8; output++) {
        store<f32>(to, output < a.outputs ? load<f32>(plainAt(a, tap, input, output)) : 0);
        to += 4;
      }
    }
  }
}

/** For gradient lists: `[output][row][rowTaps * inputs, filled up to whole vectors]`. Task: an output channel. */
export function packRows(a: WeightsArguments, task: i32): void {
  const values = a.rowTaps * a.inputs;
  const rowBytes = (<usize>values * 4 + 15) & ~15;
  let to = a.packed + task * a.rowCount * rowBytes;
  for (let row = 0; row < a.rowCount; row++) {
    memory.fill(to, 0, rowBytes);
    for (let value = 0; value < values; value++) {
      const tap = row * a.rowTaps + value / a.inputs;
      store<f32>(to + ((<usize>value) << 2), load<f32>(plainAt(a, tap, value % a.inputs, task)));
    }
    to += rowBytes;
  }
}

/** The inverse of `packRows`. */
export function unpackRows(a: WeightsArguments, task: i32): void {
  const values = a.rowTaps * a.inputs;
  const rowBytes = (<usize>values * 4 + 15) & ~15;
  let from = a.packed + task * a.rowCount * rowBytes;
  for (let row = 0; row < a.rowCount; row++) {
    for (let value = 0; value < values; value++) {
      const tap = row * a.rowTaps + value / a.inputs;
      store<f32>(plainAt(a, tap, value % a.inputs, task), load<f32>(from + ((<usize>value) << 2)));
    }
    from += rowBytes;
  }
}

/** Middle rows of G of F(2, 3), which is 1 0 0, ½ ½ ½, ½ -½ ½, 0 0 1. */
function halfSum(g0: f64, g1: f64, g2: f64): f64 {
  return 0.5 * (g0 + g1 + g2);
}

/** One row of `g G^T`, to four frequencies. */
function storeRow(to: usize, frequency: usize, g0: f64, g1: f64, g2: f64): void {
  store<f32>(to, <f32>g0);
  store<f32>(to + frequency, <f32>halfSum(g0, g1, g2));
  store<f32>(to + 2 * frequency, <f32>halfSum(g0, -g1, g2));
  store<f32>(to + 3 * frequency, <f32>g2);
}

/** `G g G^T` of the 3x3 taps from `tap` on. */
function transformTaps(
  a: WeightsArguments,
  tap: i32,
  input: i32,
  output: i32,
  to: usize,
  frequency: usize,
): void {
  const g0 = <f64>load<f32>(plainAt(a, tap, input, output));
  const g1 = <f64>load<f32>(plainAt(a, tap + 1, input, output));
  const g2 = <f64>load<f32>(plainAt(a, tap + 2, input, output));
  const g3 = <f64>load<f32>(plainAt(a, tap + 3, input, output));
  const g4 = <f64>load<f32>(plainAt(a, tap + 4, input, output));
  const g5 = <f64>load<f32>(plainAt(a, tap + 5, input, output));
  const g6 = <f64>load<f32>(plainAt(a, tap + 6, input, output));
  const g7 = <f64>load<f32>(plainAt(a, tap + 7, input, output));
  const g8 = <f64>load<f32>(plainAt(a, tap + 8, input, output));
  storeRow(to, frequency, g0, g1, g2);
  storeRow(to + 4 * frequency, frequency, halfSum(g0, g3, g6), halfSum(g1, g4, g7), halfSum(g2, g5, g8));
  storeRow(to + 8 * frequency, frequency, halfSum(g0, -g3, g6), halfSum(g1, -g4, g7), halfSum(g2, -g5, g8));
  storeRow(to + 12 * frequency, frequency, g6, g7, g8);
}

/** For winograd.ts, 3x3x3 only: `[16][outputs / 8][3 planes][inputs][8]`. Task: a block of 8 outputs. */
export function packWinograd(a: WeightsArguments, task: i32): void {
  const blockBytes = (<usize>(3 * a.inputs * 8)) << 2;
  const frequency = <usize>(a.outputs >> 3) * blockBytes;
  let to = a.packed + task * blockBytes;
  for (let plane = 0; plane < 3; plane++) {
    for (let input = 0; input < a.inputs; input++) {
      for (let output = 8 * task; output < 8 * task + 8; output++) {
        transformTaps(a, 9 * plane, input, output, to, frequency);
        to += 4;
      }
    }
  }
}
