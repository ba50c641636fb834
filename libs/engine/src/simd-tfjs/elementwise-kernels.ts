/**
 * What a training step does with whole tensors beside convolving: biases, ReLU and its gradient, the products and sums
 * of batch normalisation and of the optimizer.
 */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import { callKernel } from '../simd/kernel-calls.ts';
import { FLOAT_BYTES } from '../simd/volumes.ts';
import { areFloats, replaceKernel, sizeOf, type KernelCallArguments } from './replaced-kernel.ts';
import type { SimdBackend } from './simd-backend.ts';

/** Numbers of operations: kernels/elementwise.ts. */
const BINARY = { Add: 0, Sub: 1, Multiply: 2, Mask: 3 } as const;
const UNARY = { Relu: 0, Step: 1, Square: 2 } as const;

/** Values of one task. */
const TASK_LENGTH = 32_768;
/** Below this the CPU backend's loop is done before threads wake. */
const SMALLEST_LENGTH = 4096;
const VECTOR_VALUES = 4;
/** Parts that a sum is made of, whatever the number of threads. */
const SUM_PARTS = 64;

/** Does `small` repeat along the first axes of `large`: is it, without leading ones, the end of its shape? */
function repeatsAlong(large: readonly number[], small: readonly number[]): boolean {
  if (small.length > large.length) return false;
  const firstReal = small.findIndex((side) => side !== 1);
  const core = firstReal < 0 ? [] : small.slice(firstReal);
  return core.every((side, axis) => side === large[large.length - core.length + axis]);
}

function combine(
  backend: SimdBackend,
  operation: keyof typeof BINARY,
  large: TensorInfo,
  small: TensorInfo,
): TensorInfo {
  const { info, address } = backend.makeShared(large.shape);
  const length = sizeOf(large.shape);
  const period = sizeOf(small.shape);
  const taskLength = Math.ceil(TASK_LENGTH / period) * period;
  const call = callKernel('binary', {
    operation: BINARY[operation],
    a: backend.addressOf(large),
    b: backend.addressOf(small),
    to: address,
    ...{ length, period, taskLength: period === length ? TASK_LENGTH : taskLength },
  });
  backend.run([call], Math.ceil(length / (period === length ? TASK_LENGTH : taskLength)));
  return info;
}

/** Combines two arrays of `length` values, by their addresses. */
export function combineEqual(
  backend: SimdBackend,
  operation: keyof typeof BINARY,
  arrays: { readonly a: number; readonly b: number; readonly to: number; readonly length: number },
): void {
  const { length } = arrays;
  const call = callKernel('binary', {
    ...arrays,
    ...{ operation: BINARY[operation], period: length, taskLength: TASK_LENGTH },
  });
  backend.run([call], Math.ceil(length / TASK_LENGTH));
}

function replaceBinary(name: keyof typeof BINARY, commutes: boolean): void {
  replaceKernel(name, ({ inputs, backend }) => {
    const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
    if (!areFloats(a, b) || Math.max(sizeOf(a.shape), sizeOf(b.shape)) < SMALLEST_LENGTH) return undefined;
    if (repeatsAlong(a.shape, b.shape)) return combine(backend, name, a, b);
    if (commutes && repeatsAlong(b.shape, a.shape)) return combine(backend, name, b, a);
    return undefined;
  });
}

function replaceUnary(name: keyof typeof UNARY): void {
  replaceKernel(name, ({ inputs, attrs, backend }) => {
    const { x } = inputs as { x: TensorInfo };
    const length = sizeOf(x.shape);
    if (!areFloats(x) || length < SMALLEST_LENGTH || (attrs['alpha'] ?? 0) !== 0) return undefined;
    const { info, address } = backend.makeShared(x.shape);
    const from = backend.addressOf(x);
    const call = callKernel('unary', {
      ...{ operation: UNARY[name], from, to: address, length, taskLength: TASK_LENGTH },
    });
    backend.run([call], Math.ceil(length / TASK_LENGTH));
    return info;
  });
}

/** The shape that is left where `axes` are the first ones of `shape`, its rest filling vectors; else undefined. */
function restOfShape(shape: readonly number[], axes: unknown): readonly number[] | undefined {
  const reduced = tf.util.parseAxisParam(axes as number[], [...shape]).sort((a, b) => a - b);
  const rest = shape.slice(reduced.length);
  const leads = reduced.every((axis, index) => axis === index) && rest.length > 0;
  const size = sizeOf(rest);
  return leads && size % VECTOR_VALUES === 0 && sizeOf(shape) >= SMALLEST_LENGTH ? rest : undefined;
}

/** Sum over the first axes, or undefined where the CPU backend has to do it. */
function sumFirstAxes({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { x } = inputs as { x: TensorInfo };
  const rest = areFloats(x) ? restOfShape(x.shape, attrs['axis']) : undefined;
  if (rest === undefined) return undefined;
  const columns = sizeOf(rest);
  const rows = sizeOf(x.shape) / columns;
  const taskRows = Math.ceil(rows / SUM_PARTS);
  const count = Math.ceil(rows / taskRows);
  const kept = attrs['keepDims'] === true ? Array<number>(x.shape.length - rest.length).fill(1) : [];
  const { info, address } = backend.makeShared([...kept, ...rest]);
  backend.withRoom([count * columns * FLOAT_BYTES], (parts) => {
    const from = backend.addressOf(x);
    backend.run([callKernel('sumRows', { from, rows, columns, taskRows, to: parts })], count);
    const reduce = callKernel('reduceParts', {
      ...{ parts: parts, count, stride: columns * FLOAT_BYTES },
      ...{ length: columns, taskLength: TASK_LENGTH, to: address, add: 0 },
    });
    backend.run([reduce], Math.ceil(columns / TASK_LENGTH));
  });
  return info;
}

function meanFirstAxes(call: KernelCallArguments): TensorInfo | undefined {
  const sum = sumFirstAxes(call);
  if (sum === undefined) return undefined;
  const values = call.backend.floatsOf(sum);
  const count = sizeOf(call.inputs['x']!.shape) / values.length;
  for (let index = 0; index < values.length; index++) values[index]! /= count;
  return sum;
}

export function replaceElementwise(): void {
  replaceBinary('Add', true);
  replaceBinary('Multiply', true);
  replaceBinary('Sub', false);
  replaceUnary('Relu');
  replaceUnary('Step');
  replaceUnary('Square');
  replaceKernel('Sum', sumFirstAxes);
  replaceKernel('Mean', meanFirstAxes);
}
