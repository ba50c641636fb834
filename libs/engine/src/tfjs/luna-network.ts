/**
 * LunaModel's forward and backward pass on tfjs, one sample at a time and without tfjs's gradient tape: the network
 * is a chain, so its backward pass is short to write down, and memory does not grow with the batch. Only the input
 * normalisation couples samples, and it comes before (`input-normalisation.ts`).
 */
import tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { CLASS_COUNT, type ChunkShape, type ParameterSpec } from '../luna-model.ts';
import type { ModelTensor } from '../engine.ts';
import { normalisationGradients } from '../input-normalisation.ts';
import { convolve, kernelGradient, type DepthTaps } from './convolution.ts';
import {
  channelsFirst,
  scaleAndShift,
  type DeviceNetwork,
  type Logits,
  type NetworkGroup,
  type NormalisationGradients,
  type SummedGradients,
} from './device-engine.ts';
import { gather, kernelLayout, scatter, type KernelLayout } from './kernel-layout.ts';
import { biasGradient, maxPool, maxPoolGradient, reluGradient } from './layers.ts';

interface Convolution {
  readonly taps: DepthTaps;
  readonly mirroredTaps: DepthTaps;
  readonly bias: Tensor1D;
}

/** [classes, features] and [classes]; features in PyTorch's order (channel, depth, height, width). */
interface Head {
  readonly weight: Tensor2D;
  readonly bias: Tensor1D;
}

/** Two convolutions per block. */
type Block = readonly [Convolution, Convolution];

/** What the backward pass of one block needs: its input, the two ReLU outputs and the pooled output. */
interface BlockActivations {
  readonly input: Tensor4D;
  readonly middle: Tensor4D;
  readonly output: Tensor4D;
  readonly pooled: Tensor4D;
}

interface ForwardPass {
  readonly blocks: readonly BlockActivations[];
  readonly features: Tensor2D;
  readonly logits: Logits;
}

function forwardBlock(input: Tensor4D, [first, second]: Block): BlockActivations {
  const middle = tf.relu(convolve(input, first.taps, first.bias));
  const output = tf.relu(convolve(middle, second.taps, second.bias));
  return { input, middle, output, pooled: maxPool(output) };
}

function forwardNetwork(input: Tensor4D, blocks: readonly Block[], head: Head): ForwardPass {
  const activations: BlockActivations[] = [];
  let x = input;
  for (const block of blocks) {
    const passed = forwardBlock(x, block);
    activations.push(passed);
    x = passed.pooled;
  }
  const features: Tensor2D = tf.reshape(tf.transpose(x, [3, 0, 1, 2]), [1, -1]);
  const [no, yes] = tf.add(tf.matMul(features, head.weight, false, true), head.bias).dataSync<'float32'>();
  return { blocks: activations, features, logits: [no!, yes!] };
}

const NO_GRADIENTS: NormalisationGradients = { scale: 0, shift: 0 };

/** Kernel and bias of two convolutions. */
const PARAMETERS_OF_BLOCK = 4;

/** Gradients of one block's four parameters in order, and what gives the gradient at its input. */
function backwardBlock(block: Block, passed: BlockActivations, pooledGradient: Tensor4D) {
  const [first, second] = block;
  const poolInput = maxPoolGradient(passed.output, passed.pooled, pooledGradient);
  const atSecond = reluGradient(passed.output, poolInput);
  const atFirst = reluGradient(passed.middle, convolve(atSecond, second.mirroredTaps));
  const gradients: Tensor[] = [
    kernelGradient(passed.input, atFirst),
    biasGradient(atFirst),
    kernelGradient(passed.middle, atSecond),
    biasGradient(atSecond),
  ];
  return { gradients, inputGradient: () => convolve(atFirst, first.mirroredTaps) };
}

/** Gradients of the blocks from `firstBlock` on and of the head, and the one at the first block's input where it trains. */
function backwardNetwork(
  pass: ForwardPass,
  logitGradient: readonly [number, number],
  {
    blocks,
    head,
    firstBlock,
  }: { readonly blocks: readonly Block[]; readonly head: Head; readonly firstBlock: number },
) {
  const atLogits = tf.tensor2d([...logitGradient], [1, CLASS_COUNT]);
  const gradients: Tensor[] = [tf.matMul(atLogits, pass.features, true), tf.squeeze(atLogits, [0])];
  const [depth, height, width, channels] = pass.blocks.at(-1)!.pooled.shape;
  const atFeatures = tf.reshape(tf.matMul(atLogits, head.weight), [channels, depth, height, width]);
  let x = tf.transpose(atFeatures as Tensor4D, [1, 2, 3, 0]);
  for (let index = blocks.length - 1; index >= firstBlock; index--) {
    const backward = backwardBlock(blocks[index]!, pass.blocks[index]!, x);
    gradients.unshift(...backward.gradients);
    if (index > firstBlock || firstBlock === 0) x = backward.inputGradient();
  }
  return { gradients, inputGradient: firstBlock === 0 ? x : undefined };
}

function depthTaps(kernel: Float32Array, inputs: number, outputs: number): DepthTaps {
  const size = kernel.length / 3;
  const tap = (index: number): Tensor4D =>
    tf.tensor4d(kernel.subarray(index * size, (index + 1) * size), [3, 3, inputs, outputs]);
  return [tap(0), tap(1), tap(2)];
}

function toConvolution(layout: KernelLayout, kernel: Float32Array, bias: Float32Array): Convolution {
  const { inputs, outputs, forward, mirrored } = layout;
  return {
    taps: depthTaps(gather(kernel, forward), inputs, outputs),
    mirroredTaps: depthTaps(gather(kernel, mirrored), outputs, inputs),
    bias: tf.tensor1d(bias),
  };
}

/**
 * Samples pass one by one: memory does not grow with the batch. "Parameters" here are those of `lunaParameters` without
 * the normalisation's two, in its order. The caller keeps the tfjs backend the same.
 */
export class LunaNetwork implements DeviceNetwork {
  readonly groupSize = 1;
  readonly #inputShape: [number, number, number, number];
  readonly #layouts: readonly KernelLayout[];
  /** Those before are frozen. */
  readonly #firstBlock: number;
  #blocks: Block[] = [];
  #head: Head | undefined;
  /** Of the parameters that train. */
  #gradients: Tensor[] = [];
  #normalisation = NO_GRADIENTS;

  constructor(
    { depth, height, width }: ChunkShape,
    parameters: readonly ParameterSpec[],
    firstTrained: number,
  ) {
    this.#inputShape = [depth, height, width, 1];
    this.#firstBlock = firstTrained / PARAMETERS_OF_BLOCK;
    this.#layouts = parameters
      .filter(({ role }) => role === 'convolution')
      .map(({ shape }) => kernelLayout(shape[1]!, shape[0]!));
  }

  loadParameters(values: readonly Float32Array[]): void {
    this.#disposeWeights();
    const convolutions = this.#layouts.map((layout, index) =>
      toConvolution(layout, values[2 * index]!, values[2 * index + 1]!),
    );
    for (let index = 0; index < convolutions.length; index += 2) {
      this.#blocks.push([convolutions[index]!, convolutions[index + 1]!]);
    }
    const [weight, bias] = values.slice(-2);
    this.#head = {
      weight: tf.tensor2d(weight!, [CLASS_COUNT, weight!.length / CLASS_COUNT]),
      bias: tf.tensor1d(bias!),
    };
  }

  /** The backends that this network is for compute where the caller does: nothing is sent ahead. */
  send(): void {
    return undefined;
  }

  drop(): void {
    return undefined;
  }

  infer(group: NetworkGroup): () => Logits[] {
    const { logits } = tf.tidy(() => ({ logits: this.#forward(group).logits }));
    return () => [logits];
  }

  learn(
    group: NetworkGroup,
    lossGradient: (logits: Logits, sample: number) => readonly [number, number],
  ): void {
    const sums = this.#gradients;
    let inputGradient: Float32Array | undefined;
    this.#gradients = tf.tidy(() => {
      const pass = this.#forward(group);
      const atLogits = lossGradient(pass.logits, 0);
      const model = { blocks: this.#blocks, head: this.#loadedHead(), firstBlock: this.#firstBlock };
      const backward = backwardNetwork(pass, atLogits, model);
      inputGradient = backward.inputGradient?.dataSync<'float32'>().slice();
      return backward.gradients.map((gradient, index) => {
        const sum = sums[index];
        return sum === undefined ? gradient : tf.add(sum, gradient);
      });
    });
    tf.dispose(sums);
    if (inputGradient === undefined) return;
    const { scale, shift } = normalisationGradients(group.normalised, inputGradient);
    const { scale: scaleSum, shift: shiftSum } = this.#normalisation;
    this.#normalisation = { scale: scaleSum + scale, shift: shiftSum + shift };
  }

  takeGradients(): SummedGradients {
    const firstTrained = PARAMETERS_OF_BLOCK * this.#firstBlock;
    const frozen = Array.from({ length: firstTrained }, () => new Float32Array());
    const taken = this.#gradients.map((gradient, trained) => {
      const index = firstTrained + trained;
      const values = gradient.dataSync<'float32'>();
      const layout = index % 2 === 0 ? this.#layouts[index / 2] : undefined;
      return layout === undefined ? values : scatter(values, layout.forward);
    });
    const normalisation = this.#normalisation;
    this.dropGradients();
    return { normalisation, parameters: [...frozen, ...taken] };
  }

  dropGradients(): void {
    tf.dispose(this.#gradients);
    this.#gradients = [];
    this.#normalisation = NO_GRADIENTS;
  }

  inspect(group: NetworkGroup): ModelTensor[] {
    const layers: ModelTensor[] = [];
    tf.tidy(() => {
      const { blocks, logits } = this.#forward(group);
      const tell = (name: string, x: Tensor4D) =>
        layers.push(channelsFirst(name, x.dataSync<'float32'>(), x.shape));
      for (const [index, { middle, pooled }] of blocks.entries()) {
        tell(`block${index + 1}.conv1`, middle);
        tell(`block${index + 1}`, pooled);
      }
      layers.push({ name: 'head_linear', shape: [CLASS_COUNT], values: Float32Array.from(logits) });
    });
    return layers;
  }

  dispose(): void {
    this.dropGradients();
    this.#disposeWeights();
  }

  #forward(group: NetworkGroup): ForwardPass {
    const input = tf.tensor4d(scaleAndShift(group), this.#inputShape);
    return forwardNetwork(input, this.#blocks, this.#loadedHead());
  }

  #loadedHead(): Head {
    if (this.#head === undefined) throw new Error('internal: LunaNetwork was used without parameters');
    return this.#head;
  }

  #disposeWeights(): void {
    for (const { taps, mirroredTaps, bias } of this.#blocks.flat()) {
      tf.dispose([...taps, ...mirroredTaps, bias]);
    }
    if (this.#head !== undefined) tf.dispose([this.#head.weight, this.#head.bias]);
    this.#blocks = [];
    this.#head = undefined;
  }
}
