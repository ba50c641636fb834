/**
 * The network of chapter 12 (facts 1.7) as data, without arithmetic: batch normalisation of the input, four blocks of
 * [3x3x3 convolution, ReLU, 3x3x3 convolution, ReLU, 2x2x2 max pool], one linear layer to [not nodule, nodule].
 * Names and shapes are those of the PyTorch program, so that states can be exchanged with it.
 */

/** Size of the input in voxels. */
export interface ChunkShape {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
}

/** What a parameter is for, which decides how it is initialised. */
export type ParameterRole = 'normalisation-scale' | 'normalisation-shift' | 'convolution' | 'head' | 'bias';

export interface ParameterSpec {
  readonly name: string;
  readonly role: ParameterRole;
  /** Convolutions `[out, in, kd, kh, kw]`, head `[out, in]`. */
  readonly shape: readonly number[];
  /** Product of `shape`. */
  readonly size: number;
}

/** Output channels of the four blocks; each block's two convolutions give the same number. */
export const BLOCK_CHANNELS = [8, 16, 32, 64] as const;
export const CLASS_COUNT = 2;
export const KERNEL_SIDE = 3;
/** PyTorch's defaults of BatchNorm3d. */
export const NORMALISATION_EPSILON = 1e-5;
export const NORMALISATION_MOMENTUM = 0.1;
/** Four halvings must leave at least one voxel. */
export const SMALLEST_CHUNK_SIDE = 2 ** BLOCK_CHANNELS.length;

/** Features that reach the head: the last block's channels times what four pools (each rounding down) leave. */
export function headInputSize({ depth, height, width }: ChunkShape): number {
  const pooled = (side: number) => Math.floor(side / SMALLEST_CHUNK_SIDE);
  return BLOCK_CHANNELS[BLOCK_CHANNELS.length - 1]! * pooled(depth) * pooled(height) * pooled(width);
}

function parameter(name: string, role: ParameterRole, shape: readonly number[]): ParameterSpec {
  return { name, role, shape, size: shape.reduce((product, side) => product * side, 1) };
}

/**
 * The parameters in PyTorch's order; a parameter's position here is its ordinal in initialisation.
 * Only the head depends on the chunk shape.
 */
export function lunaParameters(chunkShape: ChunkShape): ParameterSpec[] {
  const parameters = [
    parameter('tail_batchnorm.weight', 'normalisation-scale', [1]),
    parameter('tail_batchnorm.bias', 'normalisation-shift', [1]),
  ];
  let inputChannels = 1;
  for (const [block, channels] of BLOCK_CHANNELS.entries()) {
    for (const convolution of [1, 2]) {
      const name = `block${block + 1}.conv${convolution}`;
      const kernel = [KERNEL_SIDE, KERNEL_SIDE, KERNEL_SIDE];
      parameters.push(parameter(`${name}.weight`, 'convolution', [channels, inputChannels, ...kernel]));
      parameters.push(parameter(`${name}.bias`, 'bias', [channels]));
      inputChannels = channels;
    }
  }
  parameters.push(parameter('head_linear.weight', 'head', [CLASS_COUNT, headInputSize(chunkShape)]));
  parameters.push(parameter('head_linear.bias', 'bias', [CLASS_COUNT]));
  return parameters;
}

/** The parts of the network, first to last: what stands before the first dot of its parameters' names. */
export const MODEL_PARTS = [
  'tail_batchnorm',
  ...BLOCK_CHANNELS.map((_, block) => `block${block + 1}`),
  'head_linear',
] as const;

/**
 * Place of the first parameter that trains where only the last `depth` parts do: 1 is the head alone, 2 the head and block 4,
 * 6 everything. All from there on train, all before it are frozen.
 */
export function firstTrainedParameter(parameters: readonly ParameterSpec[], depth: number): number {
  const part = MODEL_PARTS[MODEL_PARTS.length - depth]!;
  return parameters.findIndex(({ name }) => name.startsWith(`${part}.`));
}

/** Number of trainable values: 222,220 for 32 x 48 x 48. */
export function countParameters(parameters: readonly ParameterSpec[]): number {
  return parameters.reduce((sum, { size }) => sum + size, 0);
}
