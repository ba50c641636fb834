/** Where the gradients of LunaModel's parameters lie within those of one sample, as the kernels sum them. In bytes. */
import { BLOCK_CHANNELS, CLASS_COUNT, KERNEL_SIDE, type ParameterSpec } from '../luna-model.ts';
import { kernelOf } from './convolution-calls.ts';
import { rowsKernelBytes } from './kernel-tables.ts';
import { FLOAT_BYTES } from './volumes.ts';

/** A layer's kernel (in rows: kernels/weights.ts) and bias. */
export interface LayerGradients {
  readonly kernel: number;
  readonly bias: number;
}

export interface GradientLayout {
  readonly convolutions: readonly LayerGradients[];
  /** Kernel `[class][position][channel]`. */
  readonly head: LayerGradients;
  /** `[27][channels]`: the first convolution's output gradient by part of the volume (kernels/normalisation.ts). */
  readonly regions: number;
  /** Of all, a multiple of 64. */
  readonly bytes: number;
}

export function gradientLayout(specs: readonly ParameterSpec[]): GradientLayout {
  let bytes = 0;
  const take = (size: number) => {
    const offset = bytes;
    bytes += Math.ceil(size / 64) * 64;
    return offset;
  };
  const convolutions = specs
    .filter(({ role }) => role === 'convolution')
    .map(({ shape }) => ({
      kernel: take(shape[0]! * rowsKernelBytes(kernelOf(shape[1]!))),
      bias: take(shape[0]! * FLOAT_BYTES),
    }));
  const head = {
    kernel: take(specs.find(({ role }) => role === 'head')!.size * FLOAT_BYTES),
    bias: take(CLASS_COUNT * FLOAT_BYTES),
  };
  const regions = take(KERNEL_SIDE ** 3 * BLOCK_CHANNELS[0] * FLOAT_BYTES);
  return { convolutions, head, regions, bytes };
}
