// What the gradients of the first layer and of the input normalisation need beside the gradient of the kernel.

/**
 * Per output channel the sums of a gradient `[depth][height][width][channels]` over the 27 parts of its volume: first,
 * inner and last planes, rows and columns. Strides in bytes; channels are a multiple of 4, every side at least 3.
 */
@unmanaged
export class RegionArguments {
  gradient: usize;
  plane: usize;
  row: usize;
  channels: i32;
  depth: i32;
  height: i32;
  width: i32;
  /** `[27][channels]`; the sums are added. */
  sums: usize;
}

function partOf(index: i32, side: i32): i32 {
  return index == 0 ? 0 : index == side - 1 ? 2 : 1;
}

function addVector(to: usize, value: v128): void {
  v128.store(to, f32x4.add(v128.load(to), value));
}

function addRow(from: usize, width: i32, step: usize, to: usize): void {
  for (let channel: usize = 0; channel < step; channel += 16) {
    let even = f32x4.splat(0);
    let odd = f32x4.splat(0);
    let at = from + channel + step;
    const end = from + channel + (width - 1) * step;
    for (; at + step < end; at += 2 * step) {
      even = f32x4.add(even, v128.load(at));
      odd = f32x4.add(odd, v128.load(at + step));
    }
    if (at < end) even = f32x4.add(even, v128.load(at));
    addVector(to + channel, v128.load(from + channel));
    addVector(to + step + channel, f32x4.add(even, odd));
    addVector(to + 2 * step + channel, v128.load(end));
  }
}

export function addRegionSums(a: RegionArguments): void {
  const step = (<usize>a.channels) << 2;
  for (let plane = 0; plane < a.depth; plane++) {
    for (let row = 0; row < a.height; row++) {
      const part = partOf(plane, a.depth) * 9 + partOf(row, a.height) * 3;
      addRow(a.gradient + plane * a.plane + row * a.row, a.width, step, a.sums + part * step);
    }
  }
}
