/**
 * Where the values of a PyTorch convolution kernel `[out, in, kd, kh, kw]` lie in the kernels that
 * `convolution.ts` computes with. Index arrays, so that one loop converts weights and gradients both ways.
 */
import { KERNEL_SIDE } from '../luna-model.ts';

const TAPS = KERNEL_SIDE ** 3;

export interface KernelLayout {
  readonly inputs: number;
  readonly outputs: number;
  /** For kernels `[kd, kh, kw, in, out]`: the PyTorch index of each element. */
  readonly forward: Int32Array;
  /** For the input gradient's kernels `[kd, kh, kw, out, in]`, mirrored on all three axes: likewise. */
  readonly mirrored: Int32Array;
}

/** The layouts of one convolution. Kernel elements in C order throughout. */
export function kernelLayout(inputs: number, outputs: number): KernelLayout {
  const forward = new Int32Array(TAPS * inputs * outputs);
  const mirrored = new Int32Array(TAPS * inputs * outputs);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const torchStart = (output * inputs + input) * TAPS;
      for (let tap = 0; tap < TAPS; tap++) {
        forward[(tap * inputs + input) * outputs + output] = torchStart + tap;
        mirrored[(tap * outputs + output) * inputs + input] = torchStart + TAPS - 1 - tap;
      }
    }
  }
  return { inputs, outputs, forward, mirrored };
}

/** New array: element i is `values[layout[i]]`. */
export function gather(values: Float32Array, layout: Int32Array): Float32Array<ArrayBuffer> {
  const gathered = new Float32Array(layout.length);
  for (let i = 0; i < layout.length; i++) gathered[i] = values[layout[i]!]!;
  return gathered;
}

/** The inverse of `gather`: element `layout[i]` of the new array is `values[i]`. */
export function scatter(values: Float32Array, layout: Int32Array): Float32Array<ArrayBuffer> {
  const scattered = new Float32Array(layout.length);
  for (let i = 0; i < layout.length; i++) scattered[layout[i]!] = values[i]!;
  return scattered;
}
