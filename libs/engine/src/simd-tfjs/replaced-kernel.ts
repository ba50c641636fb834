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
