/** Own kernels in place of those that a backend of tfjs has. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';

/** What tfjs calls a kernel with. */
export interface KernelCall<Backend> {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: Backend;
}

/** Undefined for what is left to the kernel that was there. */
export type Replacement<Backend> = (call: KernelCall<Backend>) => TensorInfo | undefined;

/** Puts `replacement` in place of the backend's kernel, with that of `fallback`, another backend or itself, to fall back on. */
export function replaceKernel<Backend>(
  name: string,
  { backendName, fallback }: { readonly backendName: string; readonly fallback: string },
  replacement: Replacement<Backend>,
): void {
  const { kernelFunc: original } = tf.getKernel(name, fallback);
  tf.unregisterKernel(name, backendName);
  tf.registerKernel({
    kernelName: name,
    backendName,
    kernelFunc: (call) => {
      const { inputs, attrs = {}, backend } = call;
      const replaced = replacement({ inputs, attrs, backend: backend as Backend } as KernelCall<Backend>);
      return replaced ?? original(call);
    },
  });
}
