/** Conversion between a model's arrays and the named tensors that leave the engine, and a fingerprint of the latter. */
import { createHash } from 'node:crypto';
import type { ModelState, ModelTensor } from './engine.ts';
import { ModelStateMismatchError } from './errors.ts';
import { INITIAL_RUNNING_STATISTICS, type RunningStatistics } from './input-normalisation.ts';
import type { ParameterSpec } from './luna-model.ts';

/** A model in training, arrays in the order of its parameters. The arrays are what the optimizer changes. */
export interface TrainingState {
  readonly parameters: readonly Float32Array[];
  readonly velocities: readonly Float32Array[];
  running: RunningStatistics;
}

const MOMENTUM_PREFIX = 'optimizer.momentum.';
const RUNNING_MEAN = 'tail_batchnorm.running_mean';
const RUNNING_VARIANCE = 'tail_batchnorm.running_var';
/** An integer in PyTorch; as float32 it is exact up to 2^24 batches. */
const BATCHES_TRACKED = 'tail_batchnorm.num_batches_tracked';

/** Fresh velocities and statistics around initial parameters, which are kept, not copied. */
export function startTrainingState(parameters: readonly Float32Array[]): TrainingState {
  return {
    parameters,
    velocities: parameters.map((values) => new Float32Array(values.length)),
    running: INITIAL_RUNNING_STATISTICS,
  };
}

/** Copies everything: parameters, statistics, velocities, in this order. */
export function toModelState(state: TrainingState, specs: readonly ParameterSpec[]): ModelState {
  const { mean, variance, batchesTracked } = state.running;
  return [
    ...specs.map(({ name, shape }, i) => ({ name, shape, values: state.parameters[i]!.slice() })),
    { name: RUNNING_MEAN, shape: [1], values: Float32Array.of(mean) },
    { name: RUNNING_VARIANCE, shape: [1], values: Float32Array.of(variance) },
    { name: BATCHES_TRACKED, shape: [], values: Float32Array.of(batchesTracked) },
    ...specs.map(({ name, shape }, i) => ({
      name: MOMENTUM_PREFIX + name,
      shape,
      values: state.velocities[i]!.slice(),
    })),
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
export function fromModelState(state: ModelState, specs: readonly ParameterSpec[]): TrainingState {
  const remaining = new Map(state.map((tensor) => [tensor.name, tensor]));
  const double = state.find((tensor) => remaining.get(tensor.name) !== tensor);
  if (double !== undefined) {
    throw new ModelStateMismatchError(double.name, 'a state holds each tensor once', 'it twice');
  }
  const parameters = specs.map(({ name, shape }) => takeTensor(remaining, name, shape));
  const velocities = specs.map(({ name, shape }) => takeTensor(remaining, MOMENTUM_PREFIX + name, shape));
  const running = {
    mean: takeTensor(remaining, RUNNING_MEAN, [1])[0]!,
    variance: takeTensor(remaining, RUNNING_VARIANCE, [1])[0]!,
    batchesTracked: takeTensor(remaining, BATCHES_TRACKED, [])[0]!,
  };
  const [unknown] = remaining.keys();
  if (unknown !== undefined) {
    throw new ModelStateMismatchError(unknown, 'this network has no such tensor', 'it in the state');
  }
  return { parameters, velocities, running };
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
