/** Conversion between a model's arrays and the named tensors that leave the engine, and a fingerprint of the latter. */
import { createHash } from 'node:crypto';
import type { ModelState, ModelTensor } from './engine.ts';
import { ModelStateMismatchError } from './errors.ts';
import { INITIAL_RUNNING_STATISTICS, type RunningStatistics } from './input-normalisation.ts';
import type { ParameterSpec } from './luna-model.ts';
import { OPTIMIZER_SLOTS, type OptimizerName } from './optimizers.ts';

/** A model in training, arrays in the order of its parameters. The arrays are what the optimizer changes. */
export interface TrainingState {
  readonly parameters: readonly Float32Array[];
  /** For each of the optimizer's slots (`OPTIMIZER_SLOTS`) an array per parameter. */
  readonly slots: readonly (readonly Float32Array[])[];
  /** Steps that Adam has made; SGD counts none. */
  steps: number;
  running: RunningStatistics;
}

/** Adam's, as float32 exact up to 2^24. */
const OPTIMIZER_STEP = 'optimizer.step';
const RUNNING_MEAN = 'tail_batchnorm.running_mean';
const RUNNING_VARIANCE = 'tail_batchnorm.running_var';
/** An integer in PyTorch; as float32 it is exact up to 2^24 batches. */
const BATCHES_TRACKED = 'tail_batchnorm.num_batches_tracked';

/** An empty optimizer and fresh statistics around initial parameters, which are kept, not copied. */
export function startTrainingState(
  parameters: readonly Float32Array[],
  optimizer: OptimizerName = 'sgd',
  running: RunningStatistics = INITIAL_RUNNING_STATISTICS,
): TrainingState {
  return {
    parameters,
    slots: OPTIMIZER_SLOTS[optimizer].map(() => parameters.map((values) => new Float32Array(values.length))),
    steps: 0,
    running,
  };
}

const countsSteps = (optimizer: OptimizerName) => optimizer !== 'sgd';

/** Copies everything: parameters, statistics, the optimizer's slots and its step count, in this order. */
export function toModelState(
  state: TrainingState,
  specs: readonly ParameterSpec[],
  optimizer: OptimizerName = 'sgd',
): ModelState {
  const { mean, variance, batchesTracked } = state.running;
  const slots = OPTIMIZER_SLOTS[optimizer].flatMap((slot, index) =>
    specs.map(({ name, shape }, i) => ({
      name: `optimizer.${slot}.${name}`,
      shape,
      values: state.slots[index]![i]!.slice(),
    })),
  );
  return [
    ...specs.map(({ name, shape }, i) => ({ name, shape, values: state.parameters[i]!.slice() })),
    { name: RUNNING_MEAN, shape: [1], values: Float32Array.of(mean) },
    { name: RUNNING_VARIANCE, shape: [1], values: Float32Array.of(variance) },
    { name: BATCHES_TRACKED, shape: [], values: Float32Array.of(batchesTracked) },
    ...slots,
    ...(countsSteps(optimizer)
      ? [{ name: OPTIMIZER_STEP, shape: [], values: Float32Array.of(state.steps) }]
      : []),
  ];
}

function takeTensor(
  remaining: Map<string, ModelTensor>,
  name: string,
  shape: readonly number[],
): Float32Array {
  const tensor = remaining.get(name);
  const expected = `[${shape.join(', ')}]`;
  if (tensor === undefined) {
    throw new ModelStateMismatchError(name, `this network needs it with shape ${expected}`, 'no such tensor');
  }
  const size = shape.reduce((product, side) => product * side, 1);
  if (tensor.shape.join() !== shape.join() || tensor.values.length !== size) {
    throw new ModelStateMismatchError(
      name,
      `its shape must be ${expected} (does the chunk shape differ?)`,
      `[${tensor.shape.join(', ')}] with ${tensor.values.length} values`,
    );
  }
  remaining.delete(name);
  return tensor.values.slice();
}

/**
 * The inverse of `toModelState`, copying; tensors may come in any order.
 * @throws ModelStateMismatchError naming the tensor that is missing, unknown, double or of another shape.
 */
export function fromModelState(
  state: ModelState,
  specs: readonly ParameterSpec[],
  optimizer: OptimizerName = 'sgd',
): TrainingState {
  const remaining = new Map(state.map((tensor) => [tensor.name, tensor]));
  const double = state.find((tensor) => remaining.get(tensor.name) !== tensor);
  if (double !== undefined) {
    throw new ModelStateMismatchError(double.name, 'a state holds each tensor once', 'it twice');
  }
  const parameters = specs.map(({ name, shape }) => takeTensor(remaining, name, shape));
  const slots = OPTIMIZER_SLOTS[optimizer].map((slot) =>
    specs.map(({ name, shape }) => takeTensor(remaining, `optimizer.${slot}.${name}`, shape)),
  );
  const steps = countsSteps(optimizer) ? takeTensor(remaining, OPTIMIZER_STEP, [])[0]! : 0;
  const running = {
    mean: takeTensor(remaining, RUNNING_MEAN, [1])[0]!,
    variance: takeTensor(remaining, RUNNING_VARIANCE, [1])[0]!,
    batchesTracked: takeTensor(remaining, BATCHES_TRACKED, [])[0]!,
  };
  const [unknown] = remaining.keys();
  if (unknown !== undefined) {
    throw new ModelStateMismatchError(unknown, 'this network has no such tensor', 'it in the state');
  }
  return { parameters, slots, steps, running };
}

/** The bytes of an array as they lie in memory: little endian on every platform that Node.js 20 ships for but s390x. */
export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * SHA-256, in hex, over names, shapes and values in order: equal exactly when two models (and optimizers) are
 * bit-identical. -0 and 0 differ, as do NaNs of different bits.
 */
export function hashState(state: ModelState): string {
  const hash = createHash('sha256');
  for (const { name, shape, values } of state) {
    hash.update(`${JSON.stringify([name, shape])}\n`).update(bytesOf(values));
  }
  return hash.digest('hex');
}
