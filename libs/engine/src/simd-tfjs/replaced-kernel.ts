/** A tfjs kernel of this backend, with the CPU backend's to fall back on. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import {
  replaceKernel as replaceKernelOf,
  type KernelCall,
  type Replacement,
} from '../tfjs/replace-kernel.ts';
import type { SimdBackend } from './simd-backend.ts';

export type KernelCallArguments = KernelCall<SimdBackend>;

/** The name that tfjs knows the backend by. */
export const BACKEND_NAME = 'simd';

/** Puts `replacement` in place of the kernel that was carried over from the CPU backend. */
export function replaceKernel(name: string, replacement: Replacement<SimdBackend>): void {
  replaceKernelOf(name, { backendName: BACKEND_NAME, fallback: 'cpu' }, replacement);
}

/** A kernel that tfjs has none of. Its callers give float32 tensors only. */
export function registerOwnKernel(
  name: string,
  run: (call: KernelCallArguments) => TensorInfo | TensorInfo[],
): void {
  tf.registerKernel({
    kernelName: name,
    backendName: BACKEND_NAME,
    kernelFunc: ({ inputs, attrs = {}, backend }) =>
      run({ inputs, attrs, backend: backend as SimdBackend } as KernelCallArguments),
  });
}

export function areFloats(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** Do own kernels compute with these? On other backends what is fused here runs in steps. */
export function onSimdBackend(...tensors: readonly TensorInfo[]): boolean {
  return tf.getBackend() === BACKEND_NAME && areFloats(...tensors);
}
