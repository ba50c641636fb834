// All gradients of a convolution that is followed by ReLU and a 2x2x2 max pool. A pooled value's gradient belongs to one
// of its cell's eight positions, or to none: the lists hold at most an eighth of the positions.
import { ListArguments, addInputGradient, addKernelGradient, clearLists } from './gradient-list';

/** Strides in bytes; the input and its gradient have the same. */
@unmanaged
export class PooledGradientArguments extends ListArguments {
  /** Of the pooled output, `[cells][channels]`. */
  gradient: usize;
  /** Like `gradient`, as bytes: 0..7 for the position in the cell, 8 for none. */
  places: usize;
  /** Nine 32-bit offsets into the input, from a cell's first position to each place; the ninth is never kept. */
  placeOffsets: usize;
  /** Sum of the gradient per output channel is added here. */
  biasGradient: usize;
  inputPlane: usize;
  inputRow: usize;
  inputStep: usize;
  /** Of the input with its border. */
  inputPlanes: i32;
  /** Cells along each axis. */
  depth: i32;
  height: i32;
  width: i32;
  /** Rows of cells that make a tile. */
  tileRows: i32;
}

function listCell(a: PooledGradientArguments, gradient: usize, places: usize, offset: usize): void {
  const table = a.placeOffsets;
  for (let channel = 0; channel < a.channels; channel++) {
    const place = <usize>load<u8>(places + channel);
    const value = load<f32>(gradient + ((<usize>channel) << 2));
    const end = <usize>load<u32>(a.ends + ((<usize>channel) << 2));
    store<u32>(end, <u32>offset + load<u32>(table + (place << 2)));
    store<f32>(end, value, 4);
    const taken = place != 8;
    store<u32>(a.ends + ((<usize>channel) << 2), <u32>end + ((<u32>taken) << 3));
    const sum = a.biasGradient + ((<usize>channel) << 2);
    store<f32>(sum, load<f32>(sum) + (taken ? value : 0));
  }
}

/**
 * Every second cell first, then the others: then neighbours in a list share no input, and no addition waits for the one
 * before it.
 */
function listRow(a: PooledGradientArguments, gradient: usize, places: usize, offset: usize): void {
  for (let first = 0; first < 2; first++) {
    for (let column = first; column < a.width; column += 2) {
      const cell = column * a.channels;
      listCell(a, gradient + ((<usize>cell) << 2), places + cell, offset + 2 * column * a.inputStep);
    }
  }
}

function addPlane(a: PooledGradientArguments, plane: i32): void {
  const rowCells = a.width * a.channels;
  for (let row = 0; row < a.height; row += a.tileRows) {
    clearLists(a);
    for (let r = row; r < min(row + a.tileRows, a.height); r++) {
      const cells = (plane * a.height + r) * rowCells;
      const offset = 2 * plane * a.inputPlane + 2 * r * a.inputRow;
      listRow(a, a.gradient + ((<usize>cells) << 2), a.places + cells, offset);
    }
    addKernelGradient(a);
    addInputGradient(a);
  }
}

/** The ReLU before this convolution: no gradient where its output, the input here, is zero. Zeroes the border too. */
function maskPlanes(a: PooledGradientArguments, first: i32, end: i32): void {
  const zero = f32x4.splat(0);
  const bytes = <usize>(end - first) * a.inputPlane;
  const input = a.input + first * a.inputPlane;
  const gradient = a.inputGradient + first * a.inputPlane;
  for (let at: usize = 0; at < bytes; at += 16) {
    // Not "greater": NaN passes.
    const dead = f32x4.le(v128.load(input + at), zero);
    v128.store(gradient + at, v128.andnot(v128.load(gradient + at), dead));
  }
}

/** Plane by plane, so that a plane of the input's gradient is zeroed, filled and masked while it lies in the cache. */
export function addPooledGradient(a: PooledGradientArguments): void {
  memory.fill(a.inputGradient, 0, 2 * a.inputPlane);
  for (let plane = 0; plane < a.depth; plane++) {
    memory.fill(a.inputGradient + (2 * plane + 2) * a.inputPlane, 0, 2 * a.inputPlane);
    addPlane(a, plane);
    maskPlanes(a, 2 * plane, 2 * plane + 2);
  }
  const rest = 2 * a.depth + 2;
  memory.fill(a.inputGradient + rest * a.inputPlane, 0, (a.inputPlanes - rest) * a.inputPlane);
  maskPlanes(a, 2 * a.depth, a.inputPlanes);
}
