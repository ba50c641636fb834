/**
 * LunaModel's forward and backward pass on a GPU, written down as kernels: nothing waits for the device, and a group's tensors
 * are freed as soon as no later kernel needs them. Arrays are `[samples, depth, height, width, channels]`. What the forward
 * pass leaves for the backward pass may be stored in 16 bits; gradients, small as they are, are float32 like all sums.
 */
import tf from '@tensorflow/tfjs';
import type { Tensor, TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { BLOCK_CHANNELS, type ChunkShape } from '../luna-model.ts';
import type { LossSettings } from '../loss.ts';
import { convolutionKernel, inputGradientKernel } from './kernels/convolution-kernel.ts';
import { taps, volume, type ConvolutionGeometry, type Sides } from './kernels/convolution-geometry.ts';
import { filterGradientKernel, partSumKernel } from './kernels/filter-gradient-kernel.ts';
import { FLOAT16_TYPE, runKernel, type GpuKernel, type Storage } from './kernels/gpu-kernel.ts';
import {
  featureGradientKernel,
  firstLayerGradientKernel,
  headGradientKernel,
  headKernel,
  lossGradientKernel,
  storeKernel,
  type HeadGeometry,
} from './kernels/layer-kernels.ts';
import { maxPoolGradientKernel, maxPoolKernel, type PoolGeometry } from './kernels/pool-kernels.ts';
import { FILTER } from './parameter-blocks.ts';

const ONES: Sides = [1, 1, 1];
const NONE: Sides = [0, 0, 0];
const TWOS: Sides = [2, 2, 2];

/** A group's normalised voxels, `[samples, depth, height, width]`. */
export interface NetworkInput {
  readonly normalised: Tensor;
  readonly samples: number;
}

/** What a block's backward pass needs of its forward pass. */
interface BlockActivations {
  readonly input: Tensor;
  readonly middle: Tensor;
  readonly output: Tensor;
  readonly pooled: Tensor;
}

export interface ForwardPass {
  readonly blocks: readonly BlockActivations[];
  /** `[samples, classes]` */
  readonly logits: Tensor;
}

interface BlockGeometry {
  readonly first: ConvolutionGeometry;
  readonly second: ConvolutionGeometry;
  readonly pool: PoolGeometry;
}

export interface BackwardOptions {
  readonly parameters: readonly Tensor[];
  /** Of the group's samples. */
  readonly labels: Tensor;
  readonly loss: LossSettings;
  readonly batchSamples: number;
  /** Place in `parameters`. */
  readonly firstTrained: number;
}

/** Parameters are tensors of `parameterBlocks`; what follows the parameters in them is not looked at. */
export class WebgpuNetwork {
  readonly #backend: WebGPUBackend;
  readonly #chunkSides: Sides;
  readonly #storage: Storage;

  /** `storage` is that of activations. */
  constructor(backend: WebGPUBackend, { depth, height, width }: ChunkShape, storage: Storage = 'float32') {
    this.#backend = backend;
    this.#storage = storage;
    this.#chunkSides = [depth, height, width];
  }

  /** Most samples of which no array is larger than a kernel can see, and at most `wanted`. */
  groupSize(wanted: number): number {
    const largest = volume(this.#chunkSides) * BLOCK_CHANNELS[0] * Float32Array.BYTES_PER_ELEMENT;
    const { maxStorageBufferBindingSize: bytes } = this.#backend.device.limits;
    return Math.max(1, Math.min(wanted, Math.floor(bytes / largest)));
  }

  forward({ normalised, samples }: NetworkInput, parameters: readonly Tensor[]): ForwardPass {
    const blocks: BlockActivations[] = [];
    let x = normalised;
    for (const [block, { first, second, pool }] of this.#geometry(samples).entries()) {
      const shared = { bias: true, relu: true, storage: this.#storage };
      const ofFirst = convolutionKernel(first, { ...shared, affine: block === 0 });
      const middle = this.#run(ofFirst, x, parameters[2 * block]!);
      const output = this.#run(convolutionKernel(second, shared), middle, parameters[2 * block + 1]!);
      const pooled = this.#run(maxPoolKernel(pool, this.#storage), output);
      blocks.push({ input: x, middle, output, pooled });
      x = pooled;
    }
    return { blocks, logits: this.#run(headKernel(this.#head(samples)), x, parameters.at(-1)!) };
  }

  /**
   * Gradients of the blocks of parameters from `firstTrained` on (an even place: whole blocks of the network), for the group's
   * share of a batch of `batchSamples`. Frees the pass but its logits.
   */
  backward(pass: ForwardPass, { parameters, labels, ...rules }: BackwardOptions): Tensor[] {
    const samples = labels.size;
    const slopes = this.#run(lossGradientKernel(samples, { ...rules.loss, ...rules }), pass.logits, labels);
    const head = this.#head(samples);
    const features = pass.blocks.at(-1)!.pooled;
    const gradients = [this.#run(headGradientKernel(head), features, slopes)];
    let dy = this.#run(featureGradientKernel(head), slopes, parameters.at(-1)!);
    slopes.dispose();
    for (const [block, geometry] of [...this.#geometry(samples).entries()].reverse()) {
      if (2 * block < rules.firstTrained) break;
      const { input, middle, output } = pass.blocks[block]!;
      const { first, second, pool } = geometry;
      const atOutput = this.#run(maxPoolGradientKernel(pool), output, dy);
      dy.dispose();
      gradients.unshift(this.#parameterGradient(second, middle, { dy: atOutput, mask: output }));
      const ofSecond = inputGradientKernel(second, { mask: true });
      const masked = { dy: this.#run(ofSecond, atOutput, parameters[2 * block + 1]!, output), mask: middle };
      atOutput.dispose();
      if (block === 0) {
        gradients.unshift(this.#firstLayerGradient(first, input, masked, parameters[0]!));
      } else {
        gradients.unshift(this.#parameterGradient(first, input, masked));
      }
      if (2 * block > rules.firstTrained) {
        dy = this.#run(inputGradientKernel(first, { mask: true }), masked.dy, parameters[2 * block]!, middle);
      }
      masked.dy.dispose();
    }
    if (!dy.isDisposed) dy.dispose();
    this.disposeActivations(pass);
    return gradients;
  }

  /** A new tensor of an activation's values, and the shape that it has whatever the storage. */
  toFloat32(activation: Tensor): Tensor {
    const isHalf = activation.dtype === FLOAT16_TYPE;
    const shape = activation.shape.map((side, axis) => (isHalf && axis === 4 ? 2 * side : side));
    return this.#run(storeKernel(shape, 'float32'), activation);
  }

  /** The input excepted, which is the caller's, and the logits. */
  disposeActivations({ blocks }: ForwardPass): void {
    for (const { middle, output, pooled } of blocks) tf.dispose([middle, output, pooled]);
  }

  #parameterGradient(
    geometry: ConvolutionGeometry,
    x: Tensor,
    { dy, mask }: { readonly dy: Tensor; readonly mask: Tensor },
    ones = false,
  ): Tensor {
    const kernel = filterGradientKernel(geometry, { bias: true, mask: true, ones });
    const [parts, rows, outputs] = kernel.output.shape;
    const split = this.#run(kernel, x, dy, mask);
    const sum = this.#run(partSumKernel(parts!, [rows! * outputs!]), split);
    split.dispose();
    return sum;
  }

  #firstLayerGradient(
    geometry: ConvolutionGeometry,
    normalised: Tensor,
    masked: { readonly dy: Tensor; readonly mask: Tensor },
    parameters: Tensor,
  ): Tensor {
    const sums = this.#parameterGradient(geometry, normalised, masked, true);
    const gradient = this.#run(firstLayerGradientKernel(taps(geometry), geometry.outputs), sums, parameters);
    sums.dispose();
    return gradient;
  }

  #run(kernel: GpuKernel, ...tensors: readonly TensorInfo[]): Tensor {
    return tf.engine().makeTensorFromTensorInfo(runKernel(this.#backend, kernel, tensors));
  }

  #geometry(samples: number): BlockGeometry[] {
    let input = this.#chunkSides;
    let inputs = 1;
    return BLOCK_CHANNELS.map((outputs) => {
      const shared = { samples, input, output: input, filter: FILTER, strides: ONES, padding: ONES, outputs };
      const [depth, height, width] = input.map((side) => Math.floor(side / 2));
      const output: Sides = [depth!, height!, width!];
      const pool = { samples, input, output, window: TWOS, strides: TWOS, padding: NONE, channels: outputs };
      const geometry = { first: { ...shared, inputs }, second: { ...shared, inputs: outputs }, pool };
      input = output;
      inputs = outputs;
      return geometry;
    });
  }

  #head(samples: number): HeadGeometry {
    const { output, channels } = this.#geometry(samples).at(-1)!.pool;
    return { samples, positions: volume(output), channels };
  }
}
