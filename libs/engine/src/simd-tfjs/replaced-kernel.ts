/** A tfjs kernel of this backend, with the CPU backend's to fall back on. */
import tf from '@tensorflow/tfjs';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs';
import type { SimdBackend } from './simd-backend.ts';

export interface KernelCallArguments {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: SimdBackend;
}

/** Undefined where the replacement does not handle the case. */
export type Replacement = (call: KernelCallArguments) => TensorInfo | undefined;

/** The name that tfjs knows the backend by. */
export const BACKEND_NAME = 'simd';

/** Puts `replacement` in place of the kernel that was carried over from the CPU backend. */
export function replaceKernel(name: string, replacement: Replacement): void {
  const original: KernelFunc = tf.getKernel(name, 'cpu').kernelFunc;
  tf.unregisterKernel(name, BACKEND_NAME);
  tf.registerKernel({
    kernelName: name,
    backendName: BACKEND_NAME,
    kernelFunc: (call) => {
      const { inputs, attrs = {}, backend } = call;
      const replaced = replacement({ inputs, attrs, backend: backend as SimdBackend } as KernelCallArguments);
      return replaced ?? original(call);
    },
  });
}

export function areFloats(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
