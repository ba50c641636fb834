/**
 * LunaModel as a tfjs layers model (`tf.loadLayersModel`), which also Keras' converter reads. tfjs wants channels last:
 * convolutions `[kd, kh, kw, in, out]` instead of PyTorch's `[out, in, kd, kh, kw]`, and the head's inputs in the order of a
 * flattened `[d, h, w, c]` instead of `[c, d, h, w]`.
 */
import type { ModelState } from '../engine.ts';
import { ModelStateMismatchError } from '../errors.ts';
import {
  BLOCK_CHANNELS,
  CLASS_COUNT,
  headInputSize,
  KERNEL_SIDE,
  NORMALISATION_EPSILON,
  SMALLEST_CHUNK_SIDE,
  type ChunkShape,
} from '../luna-model.ts';

/** The two files of a layers model. */
export interface LayersModelFiles {
  /** Contents of model.json. */
  readonly modelJson: string;
  /** Contents of weights.bin: float32, little endian. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const WEIGHTS_FILE = 'weights.bin';
const NORMALISATION_LAYER = 'tail_normalisation';
const KERNEL_VOXELS = KERNEL_SIDE ** 3;

/**
 * A model that takes `[batch, depth, height, width, 1]` in HU and gives `[batch, 2]`: P(not nodule), P(nodule).
 * @throws ModelStateMismatchError when a tensor of LunaModel is missing or not of this chunk shape.
 */
export function toLayersModel(state: ModelState, chunkShape: ChunkShape): LayersModelFiles {
  const weights = layersWeights(state, chunkShape);
  const bytes = new Uint8Array(weights.reduce((sum, { values }) => sum + values.byteLength, 0));
  let position = 0;
  for (const { values } of weights) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), position);
    position += values.byteLength;
  }
  const model = {
    format: 'layers-model',
    generatedBy: 'lunastream',
    convertedBy: null,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 'luna_model', layers: layers(chunkShape) },
      keras_version: '2.15.0',
      backend: 'tensorflow',
    },
    weightsManifest: [
      {
        paths: [WEIGHTS_FILE],
        weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
  };
  return { modelJson: `${JSON.stringify(model)}\n`, weights: bytes };
}

function layers({ depth, height, width }: ChunkShape) {
  const convolution = (name: string, filters: number) => ({
    class_name: 'Conv3D',
    config: {
      name,
      filters,
      kernel_size: [KERNEL_SIDE, KERNEL_SIDE, KERNEL_SIDE],
      padding: 'same',
      data_format: 'channels_last',
      activation: 'relu',
    },
  });
  const blocks = BLOCK_CHANNELS.flatMap((channels, index) => [
    convolution(`block${index + 1}_conv1`, channels),
    convolution(`block${index + 1}_conv2`, channels),
    {
      class_name: 'MaxPooling3D',
      config: { name: `block${index + 1}_maxpool`, pool_size: [2, 2, 2], data_format: 'channels_last' },
    },
  ]);
  return [
    {
      // tfjs layers have no batch normalisation of volumes: with the running statistics it is one factor and one shift.
      class_name: 'Conv3D',
      config: {
        name: NORMALISATION_LAYER,
        batch_input_shape: [null, depth, height, width, 1],
        filters: 1,
        kernel_size: [1, 1, 1],
        data_format: 'channels_last',
      },
    },
    ...blocks,
    { class_name: 'Flatten', config: { name: 'flatten' } },
    { class_name: 'Dense', config: { name: 'head_linear', units: CLASS_COUNT, activation: 'softmax' } },
  ];
}

/** In the order of the layers, each with the names that tfjs gives its weights. */
function layersWeights(state: ModelState, chunkShape: ChunkShape): Weight[] {
  const tensors = new Map(state.map((tensor) => [tensor.name, tensor]));
  const take = (name: string, size: number): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor?.values.length !== size) {
      const got = tensor === undefined ? 'no such tensor' : `${tensor.values.length}`;
      throw new ModelStateMismatchError(name, `the network needs ${size} values of it`, got);
    }
    return tensor.values;
  };
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (name) => take(`tail_batchnorm.${name}`, 1)[0]!,
  ) as [number, number, number, number];
  const scale = weight / Math.sqrt(variance + NORMALISATION_EPSILON);
  const normalisation: Weight[] = [
    { name: `${NORMALISATION_LAYER}/kernel`, shape: [1, 1, 1, 1, 1], values: Float32Array.of(scale) },
    { name: `${NORMALISATION_LAYER}/bias`, shape: [1], values: Float32Array.of(bias - mean * scale) },
  ];
  let inputs = 1;
  const convolutions: Weight[] = [];
  for (const [index, outputs] of BLOCK_CHANNELS.entries()) {
    for (const convolution of [1, 2]) {
      const from = `block${index + 1}.conv${convolution}`;
      const name = `block${index + 1}_conv${convolution}`;
      const kernel = take(`${from}.weight`, outputs * inputs * KERNEL_VOXELS);
      convolutions.push(
        {
          name: `${name}/kernel`,
          shape: [KERNEL_SIDE, KERNEL_SIDE, KERNEL_SIDE, inputs, outputs],
          values: channelsLastKernel(kernel, inputs, outputs),
        },
        { name: `${name}/bias`, shape: [outputs], values: take(`${from}.bias`, outputs) },
      );
      inputs = outputs;
    }
  }
  const headInputs = headInputSize(chunkShape);
  const head = take('head_linear.weight', CLASS_COUNT * headInputs);
  return [
    ...normalisation,
    ...convolutions,
    {
      name: 'head_linear/kernel',
      shape: [headInputs, CLASS_COUNT],
      values: channelsLastHead(head, chunkShape),
    },
    { name: 'head_linear/bias', shape: [CLASS_COUNT], values: take('head_linear.bias', CLASS_COUNT) },
  ];
}

function channelsLastKernel(kernel: Float32Array, inputs: number, outputs: number): Float32Array {
  const moved = new Float32Array(kernel.length);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let voxel = 0; voxel < KERNEL_VOXELS; voxel++) {
        moved[(voxel * inputs + input) * outputs + output] =
          kernel[(output * inputs + input) * KERNEL_VOXELS + voxel]!;
      }
    }
  }
  return moved;
}

function channelsLastHead(head: Float32Array, { depth, height, width }: ChunkShape): Float32Array {
  const channels = BLOCK_CHANNELS[BLOCK_CHANNELS.length - 1]!;
  const pooled = (side: number) => Math.floor(side / SMALLEST_CHUNK_SIDE);
  const places = pooled(depth) * pooled(height) * pooled(width);
  const moved = new Float32Array(head.length);
  for (let output = 0; output < CLASS_COUNT; output++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let place = 0; place < places; place++) {
        moved[(place * channels + channel) * CLASS_COUNT + output] =
          head[(output * channels + channel) * places + place]!;
      }
    }
  }
  return moved;
}
