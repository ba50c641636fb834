/** Calls of the convolution kernels for 3x3x3 layers over bordered volumes, with the intermediate room they need. */
import { KERNEL_SIDE } from '../luna-model.ts';
import type { Arena } from './arena.ts';
import { callKernel, type KernelCall } from './kernel-calls.ts';
import {
  placeOffsets,
  rowOffsets,
  rowsKernelBytes,
  vectorPairs,
  type KernelShape,
  type KernelTables,
} from './kernel-tables.ts';
import { FLOAT_BYTES, type Volume } from './volumes.ts';

/** Where calls take room and tables from. */
export interface CallContext {
  readonly arena: Arena;
  readonly tables: KernelTables;
}

/** Output channels of one register tile. */
export const BLOCK_OUTPUTS = 8;
const FREQUENCIES = 16;
const RING_PLANES = 3;
/** Transformed tiles of one strip: enough to use the registers, few enough for the L1 cache. */
const STRIP_TILES = 24;
const TILE_ROWS_BYTES = 64;
/** Positions whose gradients are listed together, as far as whole rows allow: their inputs stay in the L1 cache. */
const DENSE_TILE_POSITIONS = 192;
const POOLED_TILE_CELLS = 96;
const ENTRY_BYTES = 8;

/** Weights in the layout that the kernel wants (kernels/weights.ts), and a bias of a value per output channel. */
export interface CallWeights {
  readonly weights: number;
  readonly bias: number;
}

export const kernelOf = (inputs: number): KernelShape => ({
  depth: KERNEL_SIDE,
  height: KERNEL_SIDE,
  width: KERNEL_SIDE,
  inputs,
});

/** Direct convolution with bias and ReLU, to the inner part of `output`. */
export function directCall(
  { tables }: CallContext,
  { weights, bias }: CallWeights,
  input: Volume,
  output: Volume,
): KernelCall {
  const kernel = kernelOf(input.channels);
  return callKernel('convolveVolume', {
    offsets: tables.addressOf(rowOffsets(kernel, input)),
    rowCount: KERNEL_SIDE ** 2,
    rowBytes: KERNEL_SIDE * input.step,
    step: input.step,
    input: input.address,
    inputSample: 0,
    inputPlane: input.plane,
    inputRow: input.row,
    weights,
    weightBlock: KERNEL_SIDE ** 3 * input.step * BLOCK_OUTPUTS,
    bias,
    floor: 0,
    output: output.address + output.inner,
    outputSample: 0,
    outputPlane: output.plane,
    outputRow: output.row,
    outputStep: output.step,
    depth: output.depth,
    height: output.height,
    width: output.width,
    channels: output.channels,
    partialRow: 0,
  });
}

/** What follows a Winograd convolution. */
export interface WinogradEnd {
  /** Default true. */
  readonly relu?: boolean;
  /** Max pool into the output, with the maxima's places, bytes, at this address. */
  readonly places?: number;
}

/** Winograd convolution with bias, to the inner part of `output`. */
export function winogradCall(
  { arena }: CallContext,
  { weights, bias }: CallWeights,
  [input, output]: readonly [Volume, Volume],
  { relu = true, places = 0 }: WinogradEnd = {},
): KernelCall {
  // A pool's volume is even: an odd last position reaches no cell, so it is not computed.
  const scale = places === 0 ? 1 : 2;
  const [depth, height, width] = [scale * output.depth, scale * output.height, scale * output.width];
  const columns = Math.ceil(width / 2);
  const rows = Math.ceil(height / 2);
  const strips = Math.ceil(rows / Math.max(1, Math.floor(STRIP_TILES / columns)));
  const stripRows = Math.ceil(rows / strips);
  const tiles = stripRows * columns;
  return arena.temporarily(() =>
    callKernel('convolveWinograd', {
      input: input.address,
      inputPlane: input.plane,
      inputRow: input.row,
      inputChannels: input.channels,
      weights,
      bias,
      floor: relu ? 0 : -Infinity,
      output: output.address + output.inner,
      outputPlane: output.plane,
      outputRow: output.row,
      outputChannels: output.channels,
      depth,
      height,
      width,
      stripRows,
      columns: arena.take(4 * (2 * columns + 2) * input.step),
      ring: arena.take(RING_PLANES * FREQUENCIES * tiles * input.step),
      products: arena.take(FREQUENCIES * tiles * output.step),
      places,
      unpooled: arena.take(places === 0 ? 0 : 8 * tiles * output.step),
      tileRows: arena.take(TILE_ROWS_BYTES),
    }),
  );
}

function listArguments({ arena, tables }: CallContext, input: Volume, channels: number, capacity: number) {
  const kernel = kernelOf(input.channels);
  const { groups, singles } = vectorPairs(kernel, input);
  return {
    groups: tables.addressOf(groups),
    groupCount: groups.length / 2,
    singles: tables.addressOf(singles),
    singleCount: singles.length / 2,
    kernelBytes: rowsKernelBytes(kernel),
    channels,
    input: input.address,
    lists: arena.take(channels * capacity * ENTRY_BYTES),
    capacity,
    ends: arena.take(channels * FLOAT_BYTES),
    inputPlane: input.plane,
    inputRow: input.row,
    inputStep: input.step,
  };
}

/** Where gradients of a layer's parameters are summed; the kernel's in rows (kernels/weights.ts). */
export interface GradientSums {
  readonly kernel: number;
  readonly bias: number;
}

/** Kernel and bias gradients from the output's gradient, the inner part of a bordered volume. */
export function denseGradientCall(
  context: CallContext,
  input: Volume,
  gradient: Volume,
  sums: GradientSums,
): KernelCall {
  const tileRows = Math.min(gradient.height, Math.max(1, Math.floor(DENSE_TILE_POSITIONS / gradient.width)));
  // A list's end is written before it is known whether the entry counts: one more.
  const capacity = tileRows * gradient.width + 1;
  return context.arena.temporarily(() =>
    callKernel('addDenseGradient', {
      ...listArguments(context, input, gradient.channels, capacity),
      kernelGradient: sums.kernel,
      inputGradient: 0,
      kernel: 0,
      gradient: gradient.address + gradient.inner,
      gradientPlane: gradient.plane,
      gradientRow: gradient.row,
      biasGradient: sums.bias,
      depth: gradient.depth,
      height: gradient.height,
      width: gradient.width,
      tileRows,
    }),
  );
}

/** A pooled convolution's output: gradient (dense) and places of the maxima. */
export interface PooledOutput {
  readonly gradient: Volume;
  readonly places: number;
}

/**
 * All gradients of a convolution behind which ReLU and max pool follow, and before which a ReLU gave `input`.
 * `inputGradient` lies like `input`; its border comes out zero. `kernel` is in rows.
 */
export function pooledGradientCall(
  context: CallContext,
  [input, inputGradient]: readonly [Volume, Volume],
  { gradient, places }: PooledOutput,
  { kernel, sums }: { readonly kernel: number; readonly sums: GradientSums },
): KernelCall {
  const tileRows = Math.min(gradient.height, Math.max(1, Math.floor(POOLED_TILE_CELLS / gradient.width)));
  const capacity = tileRows * gradient.width + 1;
  return context.arena.temporarily(() =>
    callKernel('addPooledGradient', {
      ...listArguments(context, input, gradient.channels, capacity),
      kernelGradient: sums.kernel,
      inputGradient: inputGradient.address,
      kernel,
      gradient: gradient.address,
      places,
      placeOffsets: context.tables.addressOf(placeOffsets(input)),
      biasGradient: sums.bias,
      inputPlanes: input.depth + 2,
      depth: gradient.depth,
      height: gradient.height,
      width: gradient.width,
      tileRows,
    }),
  );
}
