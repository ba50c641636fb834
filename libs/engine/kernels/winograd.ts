// 3x3x3 convolution with stride 1 by Winograd's F(2x2, 3x3) in each plane (Lavin and Gray, 2016) and directly in
// depth: 2x2 outputs take 16 products where the direct way takes 36. The input's planes are transformed strip by strip,
// so that a strip's three planes, the products and the results stay in the L1 cache.
//
// Input: zero border of 1 before each axis and after it so much that every 4x4 tile lies inside. Channels are multiples
// of 4 (inputs) and 8 (outputs).
import { TileRows, tileRow } from './register-tile';

/** Positions in the transformed 4x4 tile. */
const FREQUENCIES: i32 = 16;
/** Planes that one output plane needs. */
const RING: i32 = 3;

/** What follows the TileRows in their room: its table of offsets, then 8 zeros. */
const OFFSETS: usize = 16;
const NO_BIAS: usize = 32;

/** Strides in bytes. Without pooling `depth`, `height`, `width` may be odd. */
@unmanaged
export class WinogradArguments {
  input: usize;
  inputPlane: usize;
  inputRow: usize;
  inputChannels: i32;
  /** `[16][outputs / 8][3 planes][inputs][8]` */
  weights: usize;
  /** One per output channel. */
  bias: usize;
  /** 0 for a ReLU, -Infinity for none. */
  floor: f32;
  output: usize;
  outputPlane: usize;
  outputRow: usize;
  outputChannels: i32;
  depth: i32;
  height: i32;
  width: i32;
  /** Tile rows (2 output rows each) of one strip. */
  stripRows: i32;
  /** Room for `[4][2 * columns + 2][inputs]` values, one tile row transformed along its height. */
  columns: usize;
  /** Room for three planes of one strip, `[3][16][tiles][inputs]`. */
  ring: usize;
  /** Room for `[16][tiles][outputs]`. */
  products: usize;
  /** Where the maxima's places go, `[depth / 2][height / 2][width / 2][outputs]` bytes; 0: no pooling. */
  places: usize;
  /** With pooling: room for `[2][2 * stripRows][2 * columns][outputs]`. */
  unpooled: usize;
  /** Room for 64 bytes: a TileRows, its three offsets, 8 zeros. */
  tileRows: usize;
}

/** Transforms along the height: `B^T d`, four input rows to four rows of `columns`. */
function transformRows(from: usize, inputRow: usize, rowBytes: usize, to: usize): void {
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const row0 = v128.load(from + at);
    const row1 = v128.load(from + inputRow + at);
    const row2 = v128.load(from + 2 * inputRow + at);
    const row3 = v128.load(from + 3 * inputRow + at);
    v128.store(to + at, f32x4.sub(row0, row2));
    v128.store(to + rowBytes + at, f32x4.add(row1, row2));
    v128.store(to + 2 * rowBytes + at, f32x4.sub(row2, row1));
    v128.store(to + 3 * rowBytes + at, f32x4.sub(row1, row3));
  }
}

/** Then along the width, `d B`: one row of `columns` to four frequencies of `tiles` tiles. */
function transformColumns(from: usize, channelBytes: usize, tiles: i32, to: usize, frequency: usize): void {
  for (let tile = 0; tile < tiles; tile++) {
    for (let at: usize = 0; at < channelBytes; at += 16) {
      const column0 = v128.load(from + at);
      const column1 = v128.load(from + channelBytes + at);
      const column2 = v128.load(from + 2 * channelBytes + at);
      const column3 = v128.load(from + 3 * channelBytes + at);
      v128.store(to + at, f32x4.sub(column0, column2));
      v128.store(to + frequency + at, f32x4.add(column1, column2));
      v128.store(to + 2 * frequency + at, f32x4.sub(column2, column1));
      v128.store(to + 3 * frequency + at, f32x4.sub(column1, column3));
    }
    from += 2 * channelBytes;
    to += channelBytes;
  }
}

/** One input plane of a strip of `rows` tile rows, to `to` as `[16][rows * columns][inputs]`. */
function transformPlane(a: WinogradArguments, from: usize, rows: i32, to: usize): void {
  const columns = (a.width + 1) >> 1;
  const channelBytes = (<usize>a.inputChannels) << 2;
  const rowBytes = <usize>(2 * columns + 2) * channelBytes;
  const frequency = <usize>(rows * columns) * channelBytes;
  for (let row = 0; row < rows; row++) {
    transformRows(from, a.inputRow, rowBytes, a.columns);
    for (let i = 0; i < 4; i++) {
      transformColumns(a.columns + i * rowBytes, channelBytes, columns, to + 4 * i * frequency, frequency);
    }
    from += 2 * a.inputRow;
    to += columns * channelBytes;
  }
}

/** Per frequency the matrix product of three transformed planes and the weights. */
function multiply(a: WinogradArguments, plane: i32, tiles: i32): void {
  const rows = changetype<TileRows>(a.tileRows);
  const frequency = (<usize>(tiles * a.inputChannels)) << 2;
  const planeBytes = FREQUENCIES * frequency;
  rows.rowCount = RING;
  rows.rowBytes = (<usize>a.inputChannels) << 2;
  rows.step = rows.rowBytes;
  for (let i = 0; i < RING; i++)
    store<u32>(rows.offsets + ((<usize>i) << 2), <u32>(((plane + i) % RING) * planeBytes));
  const weightBlock = (<usize>(RING * a.inputChannels * 8)) << 2;
  const outputStep = (<usize>a.outputChannels) << 2;
  const noBias = a.tileRows + NO_BIAS;
  const noFloor = f32x4.splat(-Infinity);
  let weights = a.weights;
  let products = a.products;
  let input = a.ring;
  for (let i = 0; i < FREQUENCIES; i++) {
    for (let channel = 0; channel < a.outputChannels; channel += 8) {
      tileRow(rows, input, tiles, weights, noBias, noFloor, products + ((<usize>channel) << 2), outputStep);
      weights += weightBlock;
    }
    input += frequency;
    products += tiles * outputStep;
  }
}

function sumOf3(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.add(a, b), c);
}

function differenceOf3(a: v128, b: v128, c: v128): v128 {
  return f32x4.sub(f32x4.sub(a, b), c);
}

/** 2x2 results of one tile and 4 channels, `A^T m A`, with bias and floor; those beyond an odd edge are left out. */
function storeTile(
  from: usize,
  frequency: usize,
  bias: v128,
  floor: v128,
  to: usize,
  row: usize,
  step: usize,
  bothRows: bool,
  bothColumns: bool,
): void {
  const row4 = 4 * frequency;
  let top0 = v128.load(from);
  let top1 = v128.load(from + frequency);
  let top2 = v128.load(from + 2 * frequency);
  let top3 = v128.load(from + 3 * frequency);
  from += row4;
  let low0 = v128.load(from);
  let low1 = v128.load(from + frequency);
  let low2 = v128.load(from + 2 * frequency);
  let low3 = v128.load(from + 3 * frequency);
  from += row4;
  const m0 = v128.load(from);
  const m1 = v128.load(from + frequency);
  const m2 = v128.load(from + 2 * frequency);
  const m3 = v128.load(from + 3 * frequency);
  from += row4;
  top0 = sumOf3(top0, low0, m0);
  top1 = sumOf3(top1, low1, m1);
  top2 = sumOf3(top2, low2, m2);
  top3 = sumOf3(top3, low3, m3);
  low0 = differenceOf3(low0, m0, v128.load(from));
  low1 = differenceOf3(low1, m1, v128.load(from + frequency));
  low2 = differenceOf3(low2, m2, v128.load(from + 2 * frequency));
  low3 = differenceOf3(low3, m3, v128.load(from + 3 * frequency));
  v128.store(to, f32x4.pmax(f32x4.add(sumOf3(top0, top1, top2), bias), floor));
  if (bothColumns) v128.store(to + step, f32x4.pmax(f32x4.add(differenceOf3(top1, top2, top3), bias), floor));
  if (!bothRows) return;
  v128.store(to + row, f32x4.pmax(f32x4.add(sumOf3(low0, low1, low2), bias), floor));
  if (bothColumns)
    v128.store(to + row + step, f32x4.pmax(f32x4.add(differenceOf3(low1, low2, low3), bias), floor));
}

/** Results of a strip of `rows` tile rows, of whose `height` output rows the last may be missing. */
function storeStrip(
  a: WinogradArguments,
  rows: i32,
  height: i32,
  floor: v128,
  to: usize,
  outputRow: usize,
): void {
  const columns = (a.width + 1) >> 1;
  const step = (<usize>a.outputChannels) << 2;
  const frequency = <usize>(rows * columns) * step;
  let products = a.products;
  for (let row = 0; row < rows; row++) {
    let at = to + 2 * row * outputRow;
    for (let column = 0; column < columns; column++) {
      for (let channel: usize = 0; channel < step; channel += 16) {
        storeTile(
          products + channel,
          frequency,
          v128.load(a.bias + channel),
          floor,
          at + channel,
          outputRow,
          step,
          2 * row + 1 < height,
          2 * column + 1 < a.width,
        );
      }
      products += step;
      at += 2 * step;
    }
  }
}

/**
 * Pools one 2x2x2 cell and 4 channels: stores the maxima after ReLU and returns their places 0..7 (depth, height, width
 * from the highest bit), or 8 where the ReLU lets nothing pass. The first of equals wins, and NaN beats all, as in
 * PyTorch.
 */
function poolCell(from: usize, row: usize, plane: usize, step: usize, to: usize): v128 {
  let largest = v128.load(from);
  let place = i32x4.splat(0);
  for (let i = 1; i < 8; i++) {
    const value = v128.load(from + (i >> 2) * plane + ((i >> 1) & 1) * row + (i & 1) * step);
    const larger = v128.or(f32x4.gt(value, largest), f32x4.ne(value, value));
    largest = v128.bitselect(value, largest, larger);
    place = v128.bitselect(i32x4.splat(i), place, larger);
  }
  const zero = f32x4.splat(0);
  // Not "less or equal": NaN passes.
  place = v128.bitselect(i32x4.splat(8), place, f32x4.le(largest, zero));
  v128.store(to, f32x4.pmax(largest, zero));
  return place;
}

/** Pools the two planes of a strip into one output plane, from row `firstRow` on. */
function poolStrip(a: WinogradArguments, rows: i32, cellPlane: i32, firstRow: i32): void {
  const columns = a.width >> 1;
  const step = (<usize>a.outputChannels) << 2;
  const row = 2 * columns * step;
  const plane = 2 * rows * row;
  let places = a.places + (cellPlane * (a.height >> 1) + firstRow) * columns * a.outputChannels;
  for (let r = 0; r < rows; r++) {
    let from = a.unpooled + 2 * r * row;
    let to = a.output + cellPlane * a.outputPlane + (firstRow + r) * a.outputRow;
    for (let column = 0; column < columns; column++) {
      for (let channel: usize = 0; channel < step; channel += 32) {
        const first = poolCell(from + channel, row, plane, step, to + channel);
        const second = poolCell(from + channel + 16, row, plane, step, to + channel + 16);
        const narrow = i16x8.narrow_i32x4_s(first, second);
        v128.store64_lane(places, i8x16.narrow_i16x8_s(narrow, narrow), 0);
        places += 8;
      }
      from += 2 * step;
      to += step;
    }
  }
}

/** One strip of `rows` tile rows from `firstRow` on, through all planes. */
function convolveStrip(a: WinogradArguments, firstRow: i32, rows: i32): void {
  const columns = (a.width + 1) >> 1;
  const tiles = rows * columns;
  const from = a.input + 2 * firstRow * a.inputRow;
  const planeBytes = (<usize>(FREQUENCIES * tiles * a.inputChannels)) << 2;
  const height = a.height - 2 * firstRow;
  const pooledRow = (<usize>(2 * columns * a.outputChannels)) << 2;
  const pooledPlane = 2 * rows * pooledRow;
  const none = f32x4.splat(-Infinity);
  transformPlane(a, from, rows, a.ring);
  transformPlane(a, from + a.inputPlane, rows, a.ring + planeBytes);
  for (let plane = 0; plane < a.depth; plane++) {
    transformPlane(a, from + (plane + 2) * a.inputPlane, rows, a.ring + ((plane + 2) % RING) * planeBytes);
    multiply(a, plane, tiles);
    if (a.places == 0) {
      const to = a.output + plane * a.outputPlane + 2 * firstRow * a.outputRow;
      storeStrip(a, rows, height, f32x4.splat(a.floor), to, a.outputRow);
    } else {
      storeStrip(a, rows, height, none, a.unpooled + (plane & 1) * pooledPlane, pooledRow);
      if (plane & 1) poolStrip(a, rows, plane >> 1, firstRow);
    }
  }
}

/** All strips of one volume. With pooling `depth`, `height` and `width` must be even. */
export function convolveWinograd(a: WinogradArguments): void {
  const rows = (a.height + 1) >> 1;
  const tileRows = changetype<TileRows>(a.tileRows);
  tileRows.offsets = a.tileRows + OFFSETS;
  memory.fill(a.tileRows + NO_BIAS, 0, 32);
  for (let row = 0; row < rows; row += a.stripRows) convolveStrip(a, row, min(a.stripRows, rows - row));
}
