/** A convolution and its gradients for any kernel, stride and padding, without dilation, channels last. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import { BLOCK_OUTPUTS } from '../simd/convolution-calls.ts';
import { callKernel, type KernelCall } from '../simd/kernel-calls.ts';
import { rowOffsets, rowsKernelBytes, vectorPairs, type KernelShape } from '../simd/kernel-tables.ts';
import { FLOAT_BYTES } from '../simd/volumes.ts';
import type { PlainWeights } from '../simd/weight-layouts.ts';
import {
  paddedSteps,
  padSamples,
  roundUp,
  type PaddedSteps,
  type SharedArray,
  type Triple,
} from './padded-samples.ts';
import type { KernelCallArguments } from './replaced-kernel.ts';
import type { SimdBackend } from './simd-backend.ts';

export type ConvInfo = ReturnType<typeof tf.backend_util.computeConv3DInfo>;

const ENTRY_BYTES = 8;
/** Parts that a kernel gradient is summed in, whatever the number of threads. */
const GRADIENT_PARTS = 16;
const TASK_LENGTH = 4096;
/** Positions whose gradients are listed together, as far as whole rows allow. */
const TILE_POSITIONS = 192;
/** Bytes of an offset, a count or a float in a table. */
const WORD_BYTES = 4;

/** tfjs's filters are `[depth, height, width, in, out]`. */
function plainFilter(
  address: number,
  [depth, height, width, inputs, outputs]: readonly number[],
): PlainWeights {
  return {
    plain: address,
    tapStride: inputs! * outputs! * FLOAT_BYTES,
    inputStride: outputs! * FLOAT_BYTES,
    outputStride: FLOAT_BYTES,
    inputs: inputs!,
    outputs: outputs!,
    rowCount: depth! * height!,
    rowTaps: width!,
  };
}

/** The filter that takes the output's gradient to the input's. */
function mirroredFilter(address: number, shape: readonly number[]): PlainWeights {
  const plain = plainFilter(address, shape);
  const lastTap = (plain.rowCount * plain.rowTaps - 1) * plain.tapStride;
  return {
    ...plain,
    plain: address + lastTap,
    tapStride: -plain.tapStride,
    inputStride: plain.outputStride,
    outputStride: plain.inputStride,
    inputs: plain.outputs,
    outputs: plain.inputs,
  };
}

interface Correlation {
  readonly kernel: KernelShape;
  readonly weights: PlainWeights;
  readonly strides: Triple;
  readonly steps: PaddedSteps;
  /** `[samples, depth, height, width, channels]` */
  readonly outShape: readonly number[];
  readonly output: OutputStep;
}

/** What is done with an output before it is stored. */
export interface OutputStep {
  /** One value per channel; none is zeros. */
  readonly bias?: number;
  /** 0 for a ReLU. */
  readonly floor: number;
}

export const PLAIN_OUTPUT: OutputStep = { floor: -Infinity };

/** Bordered samples at `input`, weights packed: all output positions. */
function convolveSamples(
  backend: SimdBackend,
  { kernel, weights, strides, steps, outShape, output }: Correlation,
  input: number,
): TensorInfo {
  const [samples, depth, height, width, channels] = outShape as [number, number, number, number, number];
  const { info, address } = backend.makeShared(outShape);
  const taps = weights.rowCount * weights.rowTaps;
  const blocks = Math.ceil(channels / BLOCK_OUTPUTS);
  const blockBytes = taps * weights.inputs * BLOCK_OUTPUTS * FLOAT_BYTES;
  const partialBytes = width * BLOCK_OUTPUTS * FLOAT_BYTES;
  const offsets = rowOffsets(kernel, steps);
  const sizes = [blocks * blockBytes, blocks * BLOCK_OUTPUTS * FLOAT_BYTES, backend.threads * partialBytes];
  backend.withRoom([...sizes, offsets.length * WORD_BYTES], (packed, bias, partial, table) => {
    backend.writeZeros(bias, blocks * BLOCK_OUTPUTS);
    if (output.bias !== undefined) backend.copyFloats(output.bias, bias, channels);
    backend.writeIntegers(table, offsets);
    backend.run([callKernel('packBlocks', { ...weights, packed: packed })], blocks);
    const call = (thread: number): KernelCall =>
      callKernel('convolve', {
        ...{ depth, height, width, channels, input, weights: packed, bias: bias, floor: output.floor },
        offsets: table,
        rowCount: weights.rowCount,
        rowBytes: kernel.width * steps.step,
        step: strides[2] * steps.step,
        inputSample: steps.size,
        inputPlane: strides[0] * steps.plane,
        inputRow: strides[1] * steps.row,
        weightBlock: blockBytes,
        output: address,
        outputSample: depth * height * width * channels * FLOAT_BYTES,
        outputPlane: height * width * channels * FLOAT_BYTES,
        outputRow: width * channels * FLOAT_BYTES,
        outputStep: channels * FLOAT_BYTES,
        partialRow: partial + thread * partialBytes,
      });
    backend.run((thread) => [call(thread)], samples * depth);
  });
  return info;
}

const inputSides = (info: ConvInfo): Triple => [info.inDepth, info.inHeight, info.inWidth];
const outputSides = (info: ConvInfo): Triple => [info.outDepth, info.outHeight, info.outWidth];
const filterSides = (info: ConvInfo): Triple => [info.filterDepth, info.filterHeight, info.filterWidth];
const stridesOf = (info: ConvInfo): Triple => [info.strideDepth, info.strideHeight, info.strideWidth];
const paddingBefore = ({ padInfo }: ConvInfo): Triple => [padInfo.front, padInfo.top, padInfo.left];

function mapSides(sides: Triple, each: (side: number, axis: 0 | 1 | 2) => number): Triple {
  return [each(sides[0], 0), each(sides[1], 1), each(sides[2], 2)];
}

/** The input with all that the windows reach, and where the first window starts. */
interface WindowedInput {
  readonly steps: PaddedSteps;
  readonly start: number;
}

/** tfjs's padding may be negative: strides that leave inputs out skip some in front. Then the first window starts later. */
function windowedInput(info: ConvInfo): WindowedInput {
  const [inputs, outputs, strides] = [inputSides(info), outputSides(info), stridesOf(info)];
  const padding = paddingBefore(info);
  const before = mapSides(padding, (side) => Math.max(0, side));
  const skipped = mapSides(padding, (side) => Math.max(0, -side));
  const sides = mapSides(filterSides(info), (filter, axis) =>
    Math.max(before[axis] + inputs[axis], skipped[axis] + (outputs[axis] - 1) * strides[axis] + filter),
  );
  const steps = paddedSteps(sides, before, info.inChannels);
  return { steps, start: skipped[0] * steps.plane + skipped[1] * steps.row + skipped[2] * steps.step };
}

const kernelShape = (info: ConvInfo, inputs: number): KernelShape => ({
  depth: info.filterDepth,
  height: info.filterHeight,
  width: info.filterWidth,
  inputs,
});

export function convInfoOf(
  inputShape: unknown,
  filterShape: unknown,
  { strides, pad }: KernelCallArguments['attrs'],
): ConvInfo {
  type Five = [number, number, number, number, number];
  return tf.backend_util.computeConv3DInfo(
    inputShape as Five,
    filterShape as Five,
    strides as number,
    1,
    pad as 'same' | 'valid',
  );
}

const NO_SPREAD: Triple = [1, 1, 1];

export const sharedArray = (backend: SimdBackend, tensor: TensorInfo): SharedArray => ({
  shape: tensor.shape,
  address: backend.addressOf(tensor),
});

/** The convolution of `x`, with a bias and a ReLU where `output` says so. */
export function convolve(
  backend: SimdBackend,
  info: ConvInfo,
  { x, filter, output }: { readonly x: TensorInfo; readonly filter: TensorInfo; readonly output: OutputStep },
): TensorInfo {
  const { steps, start } = windowedInput(info);
  return backend.withRoom([info.batchSize * steps.size], (padded) => {
    padSamples(backend, sharedArray(backend, x), { to: padded, steps, spread: NO_SPREAD });
    const correlation = {
      kernel: kernelShape(info, info.inChannels),
      weights: plainFilter(backend.addressOf(filter), filter.shape),
      strides: stridesOf(info),
      steps,
      outShape: info.outShape,
      output,
    };
    return convolveSamples(backend, correlation, padded + start);
  });
}

/**
 * A convolution of the output's gradient, spread by the strides, with the mirrored filter. Undefined where windows reach
 * beyond what the input's border can hold.
 */
export function convolveGradient(
  backend: SimdBackend,
  info: ConvInfo,
  { dy, filter }: { readonly dy: SharedArray; readonly filter: TensorInfo },
): TensorInfo | undefined {
  const [filters, strides, outputs] = [filterSides(info), stridesOf(info), outputSides(info)];
  const padding = paddingBefore(info);
  const before = mapSides(filters, (filter, axis) => filter - 1 - padding[axis]);
  const sides = mapSides(inputSides(info), (side, axis) => side + filters[axis] - 1);
  const fits = ([0, 1, 2] as const).every(
    (axis) => before[axis] >= 0 && before[axis] + (outputs[axis] - 1) * strides[axis] < sides[axis],
  );
  if (!fits) return undefined;
  const steps = paddedSteps(sides, before, info.outChannels);
  return backend.withRoom([info.batchSize * steps.size], (padded) => {
    padSamples(backend, dy, { to: padded, steps, spread: strides });
    const correlation = {
      kernel: kernelShape(info, info.outChannels),
      weights: mirroredFilter(backend.addressOf(filter), filter.shape),
      strides: NO_SPREAD,
      steps,
      outShape: info.inShape,
      output: PLAIN_OUTPUT,
    };
    return convolveSamples(backend, correlation, padded);
  });
}

/** What `addGradientPart` works with, apart from its thread's own room. */
function gradientPartCall(
  info: ConvInfo,
  steps: PaddedSteps,
  addresses: {
    readonly input: number;
    readonly gradient: number;
    readonly tables: number;
    readonly parts: number;
  },
  room: {
    readonly lists: number;
    readonly ends: number;
    readonly capacity: number;
    readonly tileRows: number;
  },
): KernelCall {
  const kernel = kernelShape(info, info.inChannels);
  const { groups, singles } = vectorPairs(kernel, steps);
  const planeCount = info.batchSize * info.outDepth;
  const gradientRow = info.outWidth * info.outChannels * FLOAT_BYTES;
  return callKernel('addGradientPart', {
    ...room,
    groups: addresses.tables,
    groupCount: groups.length / 2,
    singles: addresses.tables + groups.length * WORD_BYTES,
    singleCount: singles.length / 2,
    kernelBytes: rowsKernelBytes(kernel),
    channels: info.outChannels,
    ...{ input: 0, kernelGradient: 0, inputGradient: 0, kernel: 0, biasGradient: 0 },
    gradient: addresses.gradient,
    gradientPlane: info.outHeight * gradientRow,
    gradientRow,
    inputPlane: info.strideDepth * steps.plane,
    inputRow: info.strideHeight * steps.row,
    inputStep: info.strideWidth * steps.step,
    ...{ depth: info.outDepth, height: info.outHeight, width: info.outWidth },
    firstInput: addresses.input,
    inputSample: steps.size,
    planeCount,
    taskPlanes: Math.ceil(planeCount / GRADIENT_PARTS),
    parts: addresses.parts,
    partBytes: partBytes(info),
  });
}

/** A kernel's gradient in rows, and a bias's. */
function partBytes(info: ConvInfo): number {
  const kernelBytes = info.outChannels * rowsKernelBytes(kernelShape(info, info.inChannels));
  return roundUp(kernelBytes + info.outChannels * FLOAT_BYTES, 64);
}

/** Gradients of a filter and of its bias. */
export interface ParameterGradients {
  readonly filter: TensorInfo;
  readonly bias: TensorInfo;
}

/** Sums the parts, and lays the results out as tfjs's filter and bias. */
function unpackParts(
  backend: SimdBackend,
  info: ConvInfo,
  { parts, count }: { readonly parts: number; readonly count: number },
): ParameterGradients {
  const filter = backend.makeShared(info.filterShape);
  const bias = backend.makeShared([info.outChannels]);
  const bytes = partBytes(info);
  backend.withRoom([bytes], (sum) => {
    const length = bytes / FLOAT_BYTES;
    const reduce = { parts, count, stride: bytes, length, taskLength: TASK_LENGTH, to: sum, add: 0 };
    backend.run([callKernel('reduceParts', reduce)], Math.ceil(length / TASK_LENGTH));
    const plain = plainFilter(filter.address, info.filterShape);
    backend.run([callKernel('unpackRows', { ...plain, packed: sum })], info.outChannels);
    const kernelBytes = info.outChannels * rowsKernelBytes(kernelShape(info, info.inChannels));
    backend.copyFloats(sum + kernelBytes, bias.address, info.outChannels);
  });
  return { filter: filter.info, bias: bias.info };
}

/** From the input `x` and the gradient at address `dy` of the output. */
export function parameterGradients(
  backend: SimdBackend,
  info: ConvInfo,
  { x, dy }: { readonly x: TensorInfo; readonly dy: number },
): ParameterGradients {
  const { steps, start } = windowedInput(info);
  const { groups, singles } = vectorPairs(kernelShape(info, info.inChannels), steps);
  const table = [...groups, ...singles];
  const tileRows = Math.min(info.outHeight, Math.max(1, Math.floor(TILE_POSITIONS / info.outWidth)));
  const capacity = tileRows * info.outWidth + 1;
  const listBytes = info.outChannels * capacity * ENTRY_BYTES;
  const threadBytes = roundUp(listBytes + info.outChannels * WORD_BYTES, 64);
  const planes = info.batchSize * info.outDepth;
  const count = Math.ceil(planes / Math.ceil(planes / GRADIENT_PARTS));
  const sizes = [info.batchSize * steps.size, table.length * WORD_BYTES, count * partBytes(info)];
  return backend.withRoom([...sizes, backend.threads * threadBytes], (input, tables, parts, lists) => {
    padSamples(backend, sharedArray(backend, x), { to: input, steps, spread: NO_SPREAD });
    backend.writeIntegers(tables, table);
    const addresses = { input: input + start, gradient: dy, tables, parts };
    const call = (thread: number) => {
      const room = lists + thread * threadBytes;
      const own = { lists: room, ends: room + listBytes, capacity, tileRows };
      return gradientPartCall(info, steps, addresses, own);
    };
    backend.run((thread) => [call(thread)], count);
    return unpackParts(backend, info, { parts, count });
  });
}
