// Kernel and bias gradients of a convolution whose output has its gradient given in full, zeros included.
import { ListArguments, addKernelGradient, clearLists } from './gradient-list';

/** Strides in bytes. */
@unmanaged
export class DenseGradientArguments extends ListArguments {
  gradient: usize;
  gradientPlane: usize;
  gradientRow: usize;
  /** Sum of the gradient per output channel is added here; whole vectors. */
  biasGradient: usize;
  /** From one output position's inputs to those of the position one plane, row or column on. */
  inputPlane: usize;
  inputRow: usize;
  inputStep: usize;
  depth: i32;
  height: i32;
  width: i32;
  /** Rows of positions that make a tile. */
  tileRows: i32;
}

/** Appends one row of positions; branch-free, because half of the entries are zero in no pattern. */
function listRow(a: DenseGradientArguments, gradient: usize, offset: usize): void {
  const step = (<usize>a.channels) << 2;
  for (let channel: usize = 0; channel < step; channel += 4) {
    let end = <usize>load<u32>(a.ends + channel);
    let from = gradient + channel;
    let at = offset;
    for (let column = 0; column < a.width; column++) {
      const value = load<f32>(from);
      store<u32>(end, <u32>at);
      store<f32>(end, value, 4);
      end += (<usize>(value != 0)) << 3;
      from += step;
      at += a.inputStep;
    }
    store<u32>(a.ends + channel, <u32>end);
  }
}

function addBiasGradient(a: DenseGradientArguments, gradient: usize): void {
  const step = (<usize>a.channels) << 2;
  let channel: usize = 0;
  for (; channel + 16 <= step; channel += 16) {
    let sum = f32x4.splat(0);
    let from = gradient + channel;
    for (let column = 0; column < a.width; column++) {
      sum = f32x4.add(sum, v128.load(from));
      from += step;
    }
    v128.store(a.biasGradient + channel, f32x4.add(v128.load(a.biasGradient + channel), sum));
  }
  for (; channel < step; channel += 4) {
    let sum: f32 = 0;
    for (let column = 0; column < a.width; column++) sum += load<f32>(gradient + channel + column * step);
    store<f32>(a.biasGradient + channel, load<f32>(a.biasGradient + channel) + sum);
  }
}

function addPlanes(a: DenseGradientArguments, gradient: usize, offset: usize, planes: i32): void {
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < a.height; row += a.tileRows) {
      clearLists(a);
      for (let r = row; r < min(row + a.tileRows, a.height); r++) {
        const from = gradient + r * a.gradientRow;
        listRow(a, from, offset + r * a.inputRow);
        addBiasGradient(a, from);
      }
      addKernelGradient(a);
    }
    gradient += a.gradientPlane;
    offset += a.inputPlane;
  }
}

/** All planes of one volume; the task has no meaning. */
export function addDenseGradient(a: DenseGradientArguments): void {
  addPlanes(a, a.gradient, 0, a.depth);
}

/** For a batch whose gradient has no border: `[samples * depth]` planes. */
@unmanaged
export class GradientPartArguments extends DenseGradientArguments {
  /** Of the first sample, and bytes to the next. */
  firstInput: usize;
  inputSample: usize;
  planeCount: i32;
  taskPlanes: i32;
  /** One part after the other, `partBytes` each: kernel gradients, then bias gradients. */
  parts: usize;
  partBytes: usize;
}

/** Gradients from some of the planes, to be added up by `reduceParts`. Task: `taskPlanes` planes. */
export function addGradientPart(a: GradientPartArguments, task: i32): void {
  const part = a.parts + task * a.partBytes;
  memory.fill(part, 0, a.partBytes);
  a.kernelGradient = part;
  a.biasGradient = part + <usize>a.channels * a.kernelBytes;
  const end = min((task + 1) * a.taskPlanes, a.planeCount);
  for (let plane = task * a.taskPlanes; plane < end; plane++) {
    a.input = a.firstInput + <usize>(plane / a.depth) * a.inputSample;
    addPlanes(a, a.gradient + plane * a.gradientPlane, <usize>(plane % a.depth) * a.inputPlane, 1);
  }
}
