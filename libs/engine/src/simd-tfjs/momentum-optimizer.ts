/** SGD with momentum as one kernel per variable. */
import tf from '@tensorflow/tfjs';
import type { NamedTensorMap, Tensor, TensorInfo, Variable } from '@tensorflow/tfjs';
import { callKernel } from '../simd/kernel-calls.ts';
import { onSimdBackend, registerOwnKernel, sizeOf, type KernelCallArguments } from './replaced-kernel.ts';

/** tfjs's type of this name is not exported. */
interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

const STEP = 'SimdMomentumStep';
/** Values of one task. */
const TASK_LENGTH = 32_768;

function step({ inputs, attrs, backend }: KernelCallArguments): TensorInfo[] {
  const { value, velocity, gradient } = inputs as Record<'value' | 'velocity' | 'gradient', TensorInfo>;
  const { learningRate, momentum } = attrs as { learningRate: number; momentum: number };
  const length = sizeOf(value.shape);
  const [newValue, newVelocity] = [backend.makeShared(value.shape), backend.makeShared(value.shape)];
  const call = callKernel('stepMomentum', {
    ...{ learningRate, momentum, weightDecay: 0, gradientScale: 1, length, taskLength: TASK_LENGTH },
    values: backend.addressOf(value),
    velocities: backend.addressOf(velocity),
    gradients: backend.addressOf(gradient),
    newValues: newValue.address,
    newVelocities: newVelocity.address,
  });
  backend.run([call], Math.ceil(length / TASK_LENGTH));
  return [newValue.info, newVelocity.info];
}

export function registerMomentumStep(): void {
  registerOwnKernel(STEP, step);
}

/** The new value and velocity: velocity = momentum · velocity + gradient, value -= learningRate · velocity. */
function stepVariable(
  { value, velocity, gradient }: Record<'value' | 'velocity' | 'gradient', Tensor>,
  { learningRate, momentum }: { readonly learningRate: number; readonly momentum: number },
): [Tensor, Tensor] {
  if (onSimdBackend(value, velocity, gradient)) {
    return tf
      .engine()
      .runKernel<Tensor[]>(STEP, { value, velocity, gradient }, { learningRate, momentum }) as [
      Tensor,
      Tensor,
    ];
  }
  const next = tf.add(tf.mul(velocity, momentum), gradient);
  return [tf.sub(value, tf.mul(next, learningRate)), next];
}

/** In place of `tf.train.momentum`: the same steps to float32 rounding, on any backend. */
export class MomentumOptimizer extends tf.Optimizer {
  static readonly className = 'LunastreamMomentum';
  readonly #settings: { readonly learningRate: number; readonly momentum: number };
  readonly #velocities = new Map<string, Variable>();

  constructor(learningRate: number, momentum: number) {
    super();
    this.#settings = { learningRate, momentum };
  }

  override applyGradients(gradients: NamedTensorMap | NamedTensor[]): void {
    const named = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    for (const { name, tensor: gradient } of named) {
      const value = tf.engine().registeredVariables[name]!;
      const velocity = this.#velocityOf(name, value);
      tf.tidy(() => {
        const [nextValue, nextVelocity] = stepVariable({ value, velocity, gradient }, this.#settings);
        value.assign(nextValue);
        velocity.assign(nextVelocity);
      });
    }
    this.incrementIterations();
  }

  override dispose(): void {
    for (const velocity of this.#velocities.values()) velocity.dispose();
    this.#velocities.clear();
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const velocities = [...this.#velocities].map(([name, tensor]) => ({ name: `${name}/momentum`, tensor }));
    return [await this.saveIterations(), ...velocities];
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    for (const { name, tensor } of await this.extractIterations(weights)) {
      this.#velocityOf(name.replace(/\/momentum$/, ''), tensor).assign(tensor);
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...this.#settings };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    return new cls(config['learningRate'], config['momentum']);
  }

  #velocityOf(name: string, like: Tensor): Variable {
    let velocity = this.#velocities.get(name);
    if (velocity === undefined) {
      velocity = tf.tidy(() => tf.variable(tf.zerosLike(like), false));
      this.#velocities.set(name, velocity);
    }
    return velocity;
  }
}
