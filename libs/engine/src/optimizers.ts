/**
 * Optimizers as PyTorch defines them, in place on typed arrays. Arithmetic is in double precision, what is kept is rounded to
 * float32 once. The simd engine's kernels (kernels/vectors.ts) do the same, bit for bit.
 */

export const OPTIMIZER_NAMES = ['sgd', 'adam', 'adamw'] as const;
export type OptimizerName = (typeof OPTIMIZER_NAMES)[number];

/** How gradients change a model. */
export interface OptimizerSettings {
  readonly optimizer: OptimizerName;
  /** Share of the velocity that a step of SGD keeps, 0 up to but not including 1. */
  readonly momentum: number;
  /** L2 penalty of SGD and Adam, decoupled decay of AdamW (Loshchilov and Hutter, 2019); at least 0. */
  readonly weightDecay: number;
}

/** What each optimizer remembers of every parameter, by PyTorch's names. */
export const OPTIMIZER_SLOTS: Readonly<Record<OptimizerName, readonly string[]>> = {
  sgd: ['momentum'],
  adam: ['exp_avg', 'exp_avg_sq'],
  adamw: ['exp_avg', 'exp_avg_sq'],
};

/** Adam's constants, PyTorch's defaults and those of Kingma and Ba (2015). */
export const ADAM = { firstDecay: 0.9, secondDecay: 0.999, epsilon: 1e-8 } as const;

/** What differs from step to step. */
export interface StepSize {
  readonly learningRate: number;
  /** Below 1 where gradients are clipped. */
  readonly gradientScale: number;
}

/** Of one step of SGD. (Other texts put the learning rate inside the velocity: not the same when it changes.) */
export interface SgdStep extends StepSize {
  readonly momentum: number;
  readonly weightDecay: number;
}

/** g = gradient + decay · value; velocity = momentum · velocity + g; value -= learningRate · velocity. */
export function stepSgd(
  values: Float32Array,
  velocities: Float32Array,
  gradients: Float32Array,
  { learningRate, gradientScale, momentum, weightDecay }: SgdStep,
): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const velocity = Math.fround(
      momentum * velocities[i]! + (gradientScale * gradients[i]! + weightDecay * value),
    );
    velocities[i] = velocity;
    values[i] = value - learningRate * velocity;
  }
}

/** Factors of one step of Adam, the step's number worked in. */
export interface AdamStep {
  /** Divided by the first moment's bias correction. */
  readonly learningRate: number;
  readonly firstDecay: number;
  readonly secondDecay: number;
  /** Bias correction of the second moment. */
  readonly secondCorrection: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Share of a value that stays: below 1 for AdamW only. */
  readonly kept: number;
  readonly gradientScale: number;
}

/** @param step from 1 */
export function adamStep(
  { optimizer, weightDecay }: OptimizerSettings,
  step: number,
  { learningRate, gradientScale }: StepSize,
): AdamStep {
  const isDecoupled = optimizer === 'adamw';
  return {
    ...ADAM,
    learningRate: learningRate / (1 - ADAM.firstDecay ** step),
    secondCorrection: 1 - ADAM.secondDecay ** step,
    weightDecay: isDecoupled ? 0 : weightDecay,
    kept: isDecoupled ? 1 - learningRate * weightDecay : 1,
    gradientScale,
  };
}

/** One step of Adam or AdamW; `moments` are the averages of gradients and of their squares. */
export function stepAdam(
  values: Float32Array,
  [firstMoments, secondMoments]: readonly [Float32Array, Float32Array],
  gradients: Float32Array,
  factors: AdamStep,
): void {
  const { learningRate, firstDecay, secondDecay, secondCorrection, epsilon } = factors;
  const { weightDecay, kept, gradientScale } = factors;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const gradient = gradientScale * gradients[i]! + weightDecay * value;
    const first = Math.fround(firstDecay * firstMoments[i]! + (1 - firstDecay) * gradient);
    const second = Math.fround(secondDecay * secondMoments[i]! + (1 - secondDecay) * gradient * gradient);
    firstMoments[i] = first;
    secondMoments[i] = second;
    values[i] = kept * value - (learningRate * first) / (Math.sqrt(second / secondCorrection) + epsilon);
  }
}

/**
 * The factor that takes gradients to a Euclidean norm of at most `largestNorm`, over all parameters together; 1 without it,
 * as in PyTorch's clip_grad_norm_. NaN gradients stay NaN.
 */
export function clippingScale(gradients: readonly Float32Array[], largestNorm: number | undefined): number {
  if (largestNorm === undefined) return 1;
  let squares = 0;
  for (const values of gradients) for (const value of values) squares += value * value;
  const scale = largestNorm / (Math.sqrt(squares) + 1e-6);
  return scale < 1 || Number.isNaN(scale) ? scale : 1;
}
