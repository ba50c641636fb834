/** How LunaModel's weights lie in PyTorch's arrays, as strides for the packing kernels (kernels/weights.ts). */
import { CLASS_COUNT, KERNEL_SIDE } from '../luna-model.ts';
import type { KernelArguments } from './kernel-calls.ts';
import { FLOAT_BYTES } from './volumes.ts';

const TAPS = KERNEL_SIDE ** 3;

export type PlainWeights = Omit<KernelArguments<'packRows'>, 'packed'>;

/** A convolution's kernel, `[out, in, kd, kh, kw]`. */
export function plainKernel(address: number, inputs: number, outputs: number): PlainWeights {
  return {
    plain: address,
    tapStride: FLOAT_BYTES,
    inputStride: TAPS * FLOAT_BYTES,
    outputStride: inputs * TAPS * FLOAT_BYTES,
    inputs,
    outputs,
    rowCount: KERNEL_SIDE ** 2,
    rowTaps: KERNEL_SIDE,
  };
}

/** The same seen as the kernel that takes the output's gradient to the input's: mirrored, channels exchanged. */
export function mirroredKernel(address: number, inputs: number, outputs: number): PlainWeights {
  const kernel = plainKernel(address, inputs, outputs);
  return {
    ...kernel,
    plain: address + (TAPS - 1) * FLOAT_BYTES,
    tapStride: -kernel.tapStride,
    inputStride: kernel.outputStride,
    outputStride: kernel.inputStride,
    inputs: outputs,
    outputs: inputs,
  };
}

/** The head's weights: PyTorch orders features by channel, then position; kernels the other way round. */
export function plainHead(address: number, positions: number, channels: number): PlainWeights {
  return {
    plain: address,
    tapStride: FLOAT_BYTES,
    inputStride: positions * FLOAT_BYTES,
    outputStride: positions * channels * FLOAT_BYTES,
    inputs: channels,
    outputs: CLASS_COUNT,
    rowCount: 1,
    rowTaps: positions,
  };
}

/** A bias: one row as it is. */
export function plainBias(address: number, outputs: number): PlainWeights {
  return {
    ...{ plain: address, tapStride: FLOAT_BYTES, inputStride: 0, outputStride: 0 },
    ...{ inputs: 1, outputs: 1, rowCount: 1, rowTaps: outputs },
  };
}
