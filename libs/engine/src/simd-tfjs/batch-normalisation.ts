/** Batch normalisation over all axes but the last, with its gradient, in two passes each: `normaliseBatch`. */
import tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, TensorInfo } from '@tensorflow/tfjs';
import { callKernel } from '../simd/kernel-calls.ts';
import { FLOAT_BYTES } from '../simd/volumes.ts';
import {
  onSimdBackend,
  registerOwnKernel,
  replaceKernel,
  areFloats,
  sizeOf,
  type KernelCallArguments,
} from './replaced-kernel.ts';
import type { SimdBackend } from './simd-backend.ts';

const NORMALISATION = 'SimdBatchNormalisation';
const GRADIENT = 'SimdBatchNormalisationGradient';

const VECTOR_VALUES = 4;
const DOUBLE_BYTES = 8;
/** Parts that sums are made of, whatever the number of threads. */
const PARTS = 64;

/** `[rows][columns]`, each channel in `columns / channels` columns, so that columns fill vectors. */
interface Columns {
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly taskRows: number;
  readonly tasks: number;
}

/** Undefined where no vectors can be filled. */
function columnsOf(shape: readonly number[]): Columns | undefined {
  const channels = shape.at(-1) ?? 1;
  const repeats = [1, 2, 4].find((count) => (count * channels) % VECTOR_VALUES === 0)!;
  const columns = repeats * channels;
  const rows = sizeOf(shape) / columns;
  if (!Number.isInteger(rows) || rows === 0) return undefined;
  const taskRows = Math.ceil(rows / PARTS);
  return { channels, rows, columns, taskRows, tasks: Math.ceil(rows / taskRows) };
}

/** Per channel the means of `a` and of `a · b`, in double precision. */
function channelMeans(
  backend: SimdBackend,
  { channels, rows, columns, taskRows, tasks }: Columns,
  [a, b]: readonly [number, number],
): { readonly ofA: Float64Array; readonly ofProducts: Float64Array } {
  const [ofA, ofProducts] = [new Float64Array(channels), new Float64Array(channels)];
  backend.withRoom([tasks * 2 * columns * DOUBLE_BYTES], (to) => {
    backend.run([callKernel('sumColumns', { a, b, rows, columns, taskRows, to })], tasks);
    const sums = backend.doublesAt(to, tasks * 2 * columns);
    for (let task = 0; task < tasks; task++) {
      for (let column = 0; column < columns; column++) {
        ofA[column % channels]! += sums[task * 2 * columns + column]!;
        ofProducts[column % channels]! += sums[(task * 2 + 1) * columns + column]!;
      }
    }
  });
  const count = (rows * columns) / channels;
  return { ofA: ofA.map((sum) => sum / count), ofProducts: ofProducts.map((sum) => sum / count) };
}

/** Per channel `factors[0] · a + factors[1] · b + factors[2]`. */
function combineChannels(
  backend: SimdBackend,
  { channels, rows, columns, taskRows, tasks }: Columns,
  {
    a,
    b,
    to,
    factors,
  }: { readonly a: number; readonly b: number; readonly to: number; readonly factors: ChannelFactors },
): void {
  backend.withRoom([3 * columns * FLOAT_BYTES], (address) => {
    const repeated = factors.flatMap((values) =>
      Array.from({ length: columns }, (_, i) => values[i % channels]!),
    );
    backend.writeFloats(address, repeated);
    const call = callKernel('combineColumns', { a, b, factors: address, to, rows, columns, taskRows });
    backend.run([call], tasks);
  });
}

type ChannelFactors = readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>];

/** Values per channel. */
function perChannel(channels: number, value: (channel: number) => number): number[] {
  return Array.from({ length: channels }, (_, channel) => value(channel));
}

/** y = x · slope + constant, of given or measured statistics. */
function applyStatistics(
  backend: SimdBackend,
  columns: Columns,
  {
    x,
    statistics: { mean, variance, epsilon },
    scale,
    shift,
  }: {
    readonly x: TensorInfo;
    readonly statistics: {
      readonly mean: ArrayLike<number>;
      readonly variance: ArrayLike<number>;
      readonly epsilon: number;
    };
    readonly scale: ArrayLike<number> | undefined;
    readonly shift: ArrayLike<number> | undefined;
  },
): TensorInfo {
  const { channels } = columns;
  const slopes = perChannel(channels, (c) => (scale?.[c] ?? 1) / Math.sqrt(variance[c]! + epsilon));
  const constants = perChannel(channels, (c) => (shift?.[c] ?? 0) - mean[c]! * slopes[c]!);
  const { info, address: to } = backend.makeShared(x.shape);
  const a = backend.addressOf(x);
  combineChannels(backend, columns, {
    ...{ a, b: a, to, factors: [slopes, perChannel(channels, () => 0), constants] },
  });
  return info;
}

function normalise({ inputs, attrs, backend }: KernelCallArguments): TensorInfo[] {
  const { x, scale, shift } = inputs as { x: TensorInfo; scale: TensorInfo; shift: TensorInfo };
  const columns = columnsOf(x.shape)!;
  const address = backend.addressOf(x);
  const { ofA: mean, ofProducts: squares } = channelMeans(backend, columns, [address, address]);
  // One pass: products of two float32 are exact in double precision, and their sum loses 1e-16 of itself.
  const variance = squares.map((square, channel) => Math.max(0, square - mean[channel]! ** 2));
  const y = applyStatistics(backend, columns, {
    x,
    statistics: { mean, variance, epsilon: attrs['epsilon'] as number },
    scale: backend.floatsOf(scale),
    shift: backend.floatsOf(shift),
  });
  const outputs = [mean, variance].map((values) => {
    const { info, address: to } = backend.makeShared([columns.channels]);
    backend.writeFloats(to, [...values]);
    return info;
  });
  return [y, ...outputs];
}

/**
 * With n the normalised value, g the gradient and means over a channel: scale gets sum(g · n), shift sum(g), and the input
 * scale / deviation · (g - mean(g) - n · mean(g · n)).
 */
function gradients({ inputs, attrs, backend }: KernelCallArguments): TensorInfo[] {
  const { x, dy, scale, mean, variance } = inputs as Record<
    'x' | 'dy' | 'scale' | 'mean' | 'variance',
    TensorInfo
  >;
  const columns = columnsOf(x.shape)!;
  const { channels } = columns;
  const count = sizeOf(x.shape) / channels;
  const [a, b] = [backend.addressOf(dy), backend.addressOf(x)];
  const { ofA: meanGradient, ofProducts } = channelMeans(backend, columns, [a, b]);
  const means = Float64Array.from(backend.floatsOf(mean));
  const inverses = Float64Array.from(
    backend.floatsOf(variance),
    (value) => 1 / Math.sqrt(value + (attrs['epsilon'] as number)),
  );
  const scales = Float64Array.from(backend.floatsOf(scale));
  const againstNormalised = perChannel(
    channels,
    (c) => (ofProducts[c]! - means[c]! * meanGradient[c]!) * inverses[c]!,
  );
  const slopes = perChannel(channels, (c) => scales[c]! * inverses[c]!);
  const byInput = perChannel(channels, (c) => -slopes[c]! * inverses[c]! * againstNormalised[c]!);
  const constants = perChannel(channels, (c) => -slopes[c]! * meanGradient[c]! - byInput[c]! * means[c]!);
  const input = backend.makeShared(x.shape);
  combineChannels(backend, columns, { a, b, to: input.address, factors: [slopes, byInput, constants] });
  const parameters = [againstNormalised, [...meanGradient]].map((values) => {
    const { info, address } = backend.makeShared([channels]);
    backend.writeFloats(
      address,
      values.map((value) => value * count),
    );
    return info;
  });
  return [input.info, ...parameters];
}

/** tfjs's batch normalisation with given statistics: inference, and the forward pass of its layer. */
function fusedBatchNorm({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { x, mean, variance, scale, offset } = inputs as Record<'x' | 'mean' | 'variance', TensorInfo> &
    Partial<Record<'scale' | 'offset', TensorInfo>>;
  const parameters = [mean, variance, scale, offset].filter((each) => each !== undefined);
  const columns = columnsOf(x.shape);
  if (columns === undefined || !areFloats(x, ...parameters)) return undefined;
  if (parameters.some(({ shape }) => sizeOf(shape) !== columns.channels)) return undefined;
  return applyStatistics(backend, columns, {
    x,
    statistics: {
      mean: backend.floatsOf(mean),
      variance: backend.floatsOf(variance),
      epsilon: (attrs['varianceEpsilon'] as number | undefined) ?? 0.001,
    },
    scale: scale && backend.floatsOf(scale),
    shift: offset && backend.floatsOf(offset),
  });
}

export function registerBatchNormalisation(): void {
  replaceKernel('FusedBatchNorm', fusedBatchNorm);
  registerOwnKernel(NORMALISATION, normalise);
  registerOwnKernel(GRADIENT, gradients);
  tf.registerGradient({
    kernelName: NORMALISATION,
    inputsToSave: ['x', 'scale'],
    outputsToSave: [false, true, true],
    gradFunc: (dy, saved, attrs) => {
      const [x, scale, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor];
      const [atOutput] = dy as Tensor[];
      const inputs = { x, dy: atOutput!, scale, mean, variance };
      const [input, ofScale, ofShift] = tf.engine().runKernel<Tensor[]>(GRADIENT, inputs, { ...attrs });
      return { x: () => input!, scale: () => ofScale!, shift: () => ofShift! };
    },
  });
}

/** A normalised batch with the statistics it was normalised by, which are no part of the gradient. */
export interface NormalisedBatch<Shape extends Tensor> {
  readonly normalised: Shape;
  /** `[channels]` */
  readonly mean: Tensor1D;
  /** `[channels]`, biased. */
  readonly variance: Tensor1D;
}

/**
 * `scale · (x - mean) / sqrt(variance + epsilon) + shift` with the batch's own statistics over all axes but the last,
 * differentiable. On other backends, and where values fill no vectors, in steps.
 */
export function normaliseBatch<Shape extends Tensor>(
  x: Shape,
  { scale, shift, epsilon }: { readonly scale: Tensor1D; readonly shift: Tensor1D; readonly epsilon: number },
): NormalisedBatch<Shape> {
  if (!onSimdBackend(x, scale, shift) || columnsOf(x.shape) === undefined) {
    const axes = x.shape.slice(0, -1).map((_, axis) => axis);
    const { mean, variance } = tf.moments(x, axes) as { mean: Tensor1D; variance: Tensor1D };
    return { normalised: tf.batchNorm(x, mean, variance, shift, scale, epsilon) as Shape, mean, variance };
  }
  const outputs = tf.engine().runKernel<Tensor[]>(NORMALISATION, { x, scale, shift }, { epsilon });
  return { normalised: outputs[0] as Shape, mean: outputs[1] as Tensor1D, variance: outputs[2] as Tensor1D };
}
