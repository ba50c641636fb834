/**
 * LunaModel from whole tfjs operations on groups of samples, differentiated by tfjs: for backends whose 3-D convolutions
 * and pools are fast as they come, TensorFlow's above all.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor4D, Tensor5D } from '@tensorflow/tfjs';
import type { ModelTensor } from '../engine.ts';
import {
  BLOCK_CHANNELS,
  CLASS_COUNT,
  KERNEL_SIDE,
  type ChunkShape,
  type ParameterSpec,
} from '../luna-model.ts';
import {
  channelsFirst,
  type DeviceNetwork,
  type Logits,
  type NetworkGroup,
  type PreparedGroup,
  type SummedGradients,
} from './device-engine.ts';
import { gather, kernelLayout, scatter, type KernelLayout } from './kernel-layout.ts';
import type { Tensorflow } from './load-tensorflow.ts';

/** A step's activations of 32 samples of 32x48x48 take some 0.5 GB. */
export const GROUP_SAMPLES = 32;

/** Of the dimensions after the samples. */
const NOT_PADDED: [number, number][] = [
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
];

/** What the network computes, kept for `inspect`. */
interface ForwardPass {
  readonly layers: readonly (readonly [name: string, output: Tensor5D])[];
  readonly logits: Tensor2D;
}

/** Reads `[count, classes]` as pairs. */
function pairs(values: Float32Array, count: number): Logits[] {
  return Array.from({ length: count }, (_, sample) => [values[2 * sample]!, values[2 * sample + 1]!]);
}

/**
 * Largest value of each 2x2x2 box, as PyTorch's pool: the gradient goes to the first of equals. In two steps, because TensorFlow's
 * MaxPool3DGrad on the CPU gives all of it to each of equals, and air, clipped to one value, is full of them; its MaxPoolGrad does
 * not. The two steps are also three times as fast there.
 */
function maxPool(tf: Tensorflow, x: Tensor5D): Tensor5D {
  const [count, depth, height, width, channels] = x.shape;
  const slices: Tensor4D = tf.reshape(x, [count * depth, height, width, channels]);
  const inSlices = tf.maxPool(slices, 2, 2, 'valid');
  const [, halfHeight, halfWidth] = inSlices.shape;
  const halfDepth = Math.floor(depth / 2);
  const size = halfHeight * halfWidth * channels;
  const even = tf.slice(tf.reshape(inSlices, [count, depth, size]), [0, 0, 0], [count, 2 * halfDepth, size]);
  const [front, back] = tf.split(tf.reshape(even, [count, halfDepth, 2, size]), 2, 2);
  return tf.reshape(tf.maximum(front!, back!), [count, halfDepth, halfHeight, halfWidth, channels]);
}

/** "Parameters" are those of `lunaParameters` without the normalisation's two, in its order. */
export class GroupNetwork implements DeviceNetwork {
  readonly groupSize: number;
  readonly #tf: Tensorflow;
  readonly #chunkShape: ChunkShape;
  readonly #layouts: readonly KernelLayout[];
  readonly #firstTrained: number;
  #parameters: Tensor[] = [];
  /** Groups that are on the device and have not passed. */
  readonly #sent = new Map<Float32Array, Tensor5D>();
  /** Of the parameters that train. */
  #gradients: Tensor[] = [];
  /** Of the normalisation's scale and shift, for each group. */
  #normalisation: (readonly [scale: Tensor, shift: Tensor])[] = [];

  constructor(
    tf: Tensorflow,
    chunkShape: ChunkShape,
    {
      specs,
      firstTrained,
      groupSamples,
    }: {
      readonly specs: readonly ParameterSpec[];
      /** Those before are frozen. */
      readonly firstTrained: number;
      readonly groupSamples: number;
    },
  ) {
    this.#firstTrained = firstTrained;
    this.#tf = tf;
    this.#chunkShape = chunkShape;
    this.groupSize = groupSamples;
    this.#layouts = specs
      .filter(({ role }) => role === 'convolution')
      .map(({ shape }) => kernelLayout(shape[1]!, shape[0]!));
  }

  loadParameters(values: readonly Float32Array[]): void {
    const tf = this.#tf;
    tf.dispose(this.#parameters);
    this.#parameters = values.map((array, index) => {
      const layout = index % 2 === 0 ? this.#layouts[index / 2] : undefined;
      if (layout !== undefined) {
        const { inputs, outputs, forward } = layout;
        return tf.tensor(gather(array, forward), [KERNEL_SIDE, KERNEL_SIDE, KERNEL_SIDE, inputs, outputs]);
      }
      const isHead = index === values.length - 2;
      return isHead
        ? tf.tensor(array.slice(), [CLASS_COUNT, array.length / CLASS_COUNT])
        : tf.tensor1d(array.slice());
    });
  }

  send({ normalised, count }: PreparedGroup): void {
    const tf = this.#tf;
    // tfjs-node sends values up with the first operation that reads them: this one changes nothing.
    const sent = tf.tidy(() => tf.mul<Tensor5D>(this.#toTensor(normalised, count), tf.scalar(1)));
    this.#sent.set(normalised, sent);
  }

  drop({ normalised }: PreparedGroup): void {
    this.#sent.get(normalised)?.dispose();
    this.#sent.delete(normalised);
  }

  /** Filled up to a whole group: the library then takes the same way whatever the batch, so results do not depend on it. */
  infer(group: NetworkGroup): () => Logits[] {
    const tf = this.#tf;
    const logits = tf.tidy(() => {
      const [scale, shift] = [tf.scalar(group.scale), tf.scalar(group.shift)];
      const missing = this.groupSize - group.count;
      const input = tf.pad(this.#input(group), [[0, missing], ...NOT_PADDED]);
      return this.#forward(input, [scale, shift, ...this.#parameters]).logits;
    });
    return () => {
      const values = logits.dataSync<'float32'>();
      logits.dispose();
      return pairs(values, group.count);
    };
  }

  learn(
    group: NetworkGroup,
    lossGradient: (logits: Logits, sample: number) => readonly [number, number],
  ): void {
    const tf = this.#tf;
    const sums = this.#gradients;
    const frozen = this.#parameters.slice(0, this.#firstTrained);
    const trained = this.#parameters.slice(this.#firstTrained);
    const ofNormalisation: Tensor[] = [];
    this.#gradients = tf.tidy(() => {
      const input = this.#input(group);
      // The loss is ours, not tfjs's: a value that nobody reads, with the gradient that `lossGradient` gives.
      const loss = tf.customGrad((logits) => {
        const values = pairs((logits as Tensor2D).dataSync<'float32'>(), group.count);
        const slopes = values.flatMap((pair, sample) => [...lossGradient(pair, sample)]);
        return {
          value: tf.scalar(0),
          gradFunc: () => [tf.tensor2d(slopes, [group.count, CLASS_COUNT])],
        };
      });
      const scaleAndShift = [tf.scalar(group.scale), tf.scalar(group.shift)];
      // What is not asked for is not computed: tfjs goes back as far as the first parameter that trains.
      const run = (...asked: Tensor[]) => {
        const parameters = frozen.length > 0 ? [...scaleAndShift, ...frozen, ...asked] : asked;
        return loss(this.#forward(input, parameters).logits);
      };
      const gradients = tf.grads(run)(frozen.length > 0 ? trained : [...scaleAndShift, ...trained]);
      if (frozen.length === 0) ofNormalisation.push(...gradients.splice(0, 2).map((each) => tf.keep(each)));
      return gradients.map((gradient, index) => {
        const sum = sums[index];
        return sum === undefined ? gradient : tf.add(sum, gradient);
      });
    });
    tf.dispose(sums);
    const [scale, shift] = ofNormalisation;
    if (scale !== undefined && shift !== undefined) this.#normalisation.push([scale, shift]);
  }

  takeGradients(): SummedGradients {
    const frozen = Array.from({ length: this.#firstTrained }, () => new Float32Array());
    const taken = this.#gradients.map((gradient, trained) => {
      const index = this.#firstTrained + trained;
      const values = gradient.dataSync<'float32'>();
      const layout = index % 2 === 0 ? this.#layouts[index / 2] : undefined;
      return layout === undefined ? values.slice() : scatter(values, layout.forward);
    });
    const sum = (place: 0 | 1) =>
      this.#normalisation.reduce((total, gradients) => total + gradients[place].dataSync()[0]!, 0);
    const normalisation = { scale: sum(0), shift: sum(1) };
    this.dropGradients();
    return { normalisation, parameters: [...frozen, ...taken] };
  }

  dropGradients(): void {
    this.#tf.dispose(this.#gradients);
    for (const gradients of this.#normalisation) this.#tf.dispose([...gradients]);
    this.#gradients = [];
    this.#normalisation = [];
  }

  inspect(group: NetworkGroup): ModelTensor[] {
    const tf = this.#tf;
    const layers: ModelTensor[] = [];
    tf.tidy(() => {
      const [scale, shift] = [tf.scalar(group.scale), tf.scalar(group.shift)];
      const pass = this.#forward(this.#input(group), [scale, shift, ...this.#parameters]);
      for (const [name, output] of pass.layers) {
        const [, depth, height, width, channels] = output.shape;
        layers.push(channelsFirst(name, output.dataSync<'float32'>(), [depth, height, width, channels]));
      }
      const logits = pass.logits.dataSync<'float32'>().slice();
      layers.push({ name: 'head_linear', shape: [CLASS_COUNT], values: logits });
    });
    return layers;
  }

  dispose(): void {
    this.dropGradients();
    for (const sent of this.#sent.values()) sent.dispose();
    this.#sent.clear();
    this.#tf.dispose(this.#parameters);
    this.#parameters = [];
  }

  /** The group on the device, which it may be already. */
  #input({ normalised, count }: NetworkGroup): Tensor5D {
    return this.#sent.get(normalised) ?? this.#toTensor(normalised, count);
  }

  #toTensor(normalised: Float32Array, count: number): Tensor5D {
    const { depth, height, width } = this.#chunkShape;
    return this.#tf.tensor5d(normalised, [count, depth, height, width, 1]);
  }

  /** `parameters` start with the normalisation's scale and shift. */
  #forward(normalised: Tensor5D, [scale, shift, ...parameters]: readonly Tensor[]): ForwardPass {
    const tf = this.#tf;
    const layers: (readonly [string, Tensor5D])[] = [];
    const convolve = (x: Tensor5D, index: number): Tensor5D => {
      const [filter, bias] = parameters.slice(2 * index, 2 * index + 2);
      return tf.relu(tf.add<Tensor5D>(tf.conv3d(x, filter as Tensor5D, 1, 'same'), bias!));
    };
    let x = tf.add<Tensor5D>(tf.mul(normalised, scale!), shift!);
    for (const block of BLOCK_CHANNELS.keys()) {
      const middle = convolve(x, 2 * block);
      x = maxPool(tf, convolve(middle, 2 * block + 1));
      layers.push([`block${block + 1}.conv1`, middle], [`block${block + 1}`, x]);
    }
    const features = tf.reshape(tf.transpose(x, [0, 4, 1, 2, 3]), [x.shape[0], -1]);
    const [weight, bias] = parameters.slice(-2) as [Tensor2D, Tensor1D];
    const logits = tf.add<Tensor2D>(tf.matMul(features, weight, false, true), bias);
    return { layers, logits };
  }
}
