/**
 * The optimizers of optimizers.ts in float32, in place and in one kernel: a tensor holds values and then, as long each, what
 * the optimizer remembers of them.
 */
import type { AdamStep, SgdStep } from '../../optimizers.ts';
import type { GpuKernel, KernelUniform } from './gpu-kernel.ts';

const THREADS = 64;
const SUM_THREADS = 256;

function uniformsOf(values: object): KernelUniform[] {
  return Object.entries(values).map(([name, value]) => ({ name, type: 'float32', data: [value as number] }));
}

const SGD = `
  let value = result[thread];
  let velocity = uniforms.momentum * result[n + thread] + (scale * gradient[thread] + uniforms.weightDecay * value);
  result[n + thread] = velocity;
  result[thread] = value - uniforms.learningRate * velocity;`;

const ADAM = `
  let value = result[thread];
  let slope = scale * gradient[thread] + uniforms.weightDecay * value;
  let first = uniforms.firstDecay * result[n + thread] + uniforms.firstShare * slope;
  let second = uniforms.secondDecay * result[2 * n + thread] + uniforms.secondShare * slope * slope;
  result[n + thread] = first;
  result[2 * n + thread] = second;
  result[thread] = uniforms.kept * value
    - (uniforms.learningRate * first) / (sqrt(second / uniforms.secondCorrection) + uniforms.epsilon);`;

export type UpdateStep =
  { readonly kind: 'sgd'; readonly step: SgdStep } | { readonly kind: 'adam'; readonly step: AdamStep };

/**
 * To be run into the tensor of `length` values and their slots, of which the first `trained` change. Reads `gradient` and, with `largestNorm`, `squares` (one value:
 * the sum of all gradients' squares), and scales gradients down to that norm.
 */
export function updateKernel(
  { length, trained = length }: { readonly length: number; readonly trained?: number },
  update: UpdateStep,
  largestNorm?: number,
): GpuKernel {
  const slots = update.kind === 'sgd' ? 1 : 2;
  const clips = largestNorm !== undefined;
  const { kind, step } = update;
  // 1 - 0.999 loses digits in float32.
  const shares =
    kind === 'adam' ? { firstShare: 1 - step.firstDecay, secondShare: 1 - step.secondDecay } : {};
  return {
    key: `update-${kind}${clips ? '-clipped' : ''}`,
    inputs: [['gradient', 1], ...(clips ? ([['squares', 1]] as const) : [])],
    output: { shape: [length * (1 + slots)], components: 1 },
    uniforms: [
      { name: 'length', type: 'int32', data: [length] },
      { name: 'trained', type: 'int32', data: [trained] },
      ...uniformsOf({ ...step, ...shares, ...(clips ? { largestNorm } : {}) }),
    ],
    threads: THREADS,
    workgroups: Math.ceil(length / THREADS),
    code: `
fn main(thread: i32) {
  if (thread >= uniforms.trained) { return; }
  let n = uniforms.length;
  ${clips ? 'let scale = uniforms.gradientScale * min(1.0, uniforms.largestNorm / (sqrt(squares[0]) + 1e-6));' : 'let scale = uniforms.gradientScale;'}
${kind === 'sgd' ? SGD : ADAM}
}`,
  };
}

/** Adds the sum of squares of `x`, its first `length` values, to the one value that it is run into; in a fixed order. */
export function squareSumKernel(length: number): GpuKernel {
  return {
    key: 'square-sum',
    inputs: [['x', 1]],
    output: { shape: [1], components: 1 },
    uniforms: [{ name: 'length', type: 'int32', data: [length] }],
    threads: SUM_THREADS,
    workgroups: 1,
    groupSum: 'f32',
    code: `
fn main(thread: i32) {
  var sum = 0.0;
  for (var index = laneIndex(); index < uniforms.length; index += ${SUM_THREADS}) { sum += x[index] * x[index]; }
  let total = sumOfGroup(sum);
  if (laneIndex() == 0) { result[0] += total; }
}`,
  };
}
