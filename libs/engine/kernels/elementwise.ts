// Arithmetic on whole tensors, value by value, and sums over all but the last axis.

/** Operations of two values. Mirrored in src/simd-tfjs/elementwise-kernels.ts. */
const ADD: i32 = 0;
const SUBTRACT: i32 = 1;
const MULTIPLY: i32 = 2;
/** `a` where `b` is above 0, 0 where it is not, NaN where it is NaN: a gradient before a ReLU, from its output. */
const MASK: i32 = 3;

@unmanaged
export class BinaryArguments {
  operation: i32;
  a: usize;
  b: usize;
  to: usize;
  /** Values of `a` and `to`. */
  length: i32;
  /** Values of `b`, which repeats; `length` is a multiple. */
  period: i32;
  /** Values of a task; with `1 < period < length` a multiple of it. */
  taskLength: i32;
}

function combine(operation: i32, a: v128, b: v128): v128 {
  if (operation == ADD) return f32x4.add(a, b);
  if (operation == SUBTRACT) return f32x4.sub(a, b);
  if (operation == MULTIPLY) return f32x4.mul(a, b);
  const kept = v128.and(a, f32x4.gt(b, f32x4.splat(0)));
  return v128.bitselect(b, kept, f32x4.ne(b, b));
}

function combineOne(operation: i32, a: f32, b: f32): f32 {
  if (operation == ADD) return a + b;
  if (operation == SUBTRACT) return a - b;
  if (operation == MULTIPLY) return a * b;
  return b > 0 ? a : b == b ? 0 : b;
}

function combineArrays(operation: i32, a: usize, b: usize, to: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    v128.store(to + at, combine(operation, v128.load(a + at), v128.load(b + at)));
  }
  for (; at < bytes; at += 4)
    store<f32>(to + at, combineOne(operation, load<f32>(a + at), load<f32>(b + at)));
}

function combineWithOne(operation: i32, a: usize, b: f32, to: usize, bytes: usize): void {
  const factor = f32x4.splat(b);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, combine(operation, v128.load(a + at), factor));
  for (; at < bytes; at += 4) store<f32>(to + at, combineOne(operation, load<f32>(a + at), b));
}

export function binary(a: BinaryArguments, task: i32): void {
  const first = (<usize>(task * a.taskLength)) << 2;
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  if (a.period == a.length) {
    combineArrays(a.operation, a.a + first, a.b + first, a.to + first, end - first);
  } else if (a.period == 1) {
    combineWithOne(a.operation, a.a + first, load<f32>(a.b), a.to + first, end - first);
  } else {
    const bytes = (<usize>a.period) << 2;
    for (let at = first; at < end; at += bytes) combineArrays(a.operation, a.a + at, a.b, a.to + at, bytes);
  }
}

/** Operations of one value. Mirrored in src/simd-tfjs/elementwise-kernels.ts. */
const RELU: i32 = 0;
const STEP: i32 = 1;
const SQUARE: i32 = 2;

@unmanaged
export class UnaryArguments {
  operation: i32;
  from: usize;
  to: usize;
  length: i32;
  taskLength: i32;
}

function applyTo(operation: i32, value: v128): v128 {
  const zero = f32x4.splat(0);
  if (operation == RELU) return f32x4.pmax(value, zero);
  if (operation == SQUARE) return f32x4.mul(value, value);
  // 1 above zero, else 0; NaN stays.
  const steps = v128.and(f32x4.gt(value, zero), f32x4.splat(1));
  return v128.bitselect(value, steps, f32x4.ne(value, value));
}

/** Reads and writes up to 12 bytes beyond the end, which tensors have room for. */
export function unary(a: UnaryArguments, task: i32): void {
  const end = (<usize>min((task + 1) * a.taskLength, a.length)) << 2;
  for (let at = (<usize>(task * a.taskLength)) << 2; at < end; at += 16) {
    v128.store(a.to + at, applyTo(a.operation, v128.load(a.from + at)));
  }
}

@unmanaged
export class SumArguments {
  /** `[rows][columns]` */
  from: usize;
  rows: i32;
  /** Multiple of 4. */
  columns: i32;
  taskRows: i32;
  /** `[tasks][columns]`, to be added up by `reduceParts`. */
  to: usize;
}

/** Sums over rows. Task: `taskRows` of them. */
export function sumRows(a: SumArguments, task: i32): void {
  const rowBytes = (<usize>a.columns) << 2;
  const first = a.from + <usize>(task * a.taskRows) * rowBytes;
  const end = a.from + <usize>min((task + 1) * a.taskRows, a.rows) * rowBytes;
  for (let column: usize = 0; column < rowBytes; column += 16) {
    let sum = f32x4.splat(0);
    for (let at = first + column; at < end; at += rowBytes) sum = f32x4.add(sum, v128.load(at));
    v128.store(a.to + task * rowBytes + column, sum);
  }
}
