/** For tests only: a kernel's result for arrays of this machine. */
import tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';
import { runKernel, type Capabilities, type GpuKernel, type Storage } from '../webgpu/kernels/gpu-kernel.ts';
import { copyKernel, storeKernel } from '../webgpu/kernels/layer-kernels.ts';
import { loadWebgpu, useWebgpu } from '../webgpu/load-webgpu.ts';

export interface KernelRun {
  /** Array that the kernel changes, in place of a new one. */
  readonly into?: Float32Array;
  /** Of each array, by its place; the result's is the kernel's own. Default: float32. */
  readonly storages?: readonly (Storage | undefined)[];
  readonly capabilities?: Capabilities;
}

/** The result as float32, however it is stored. */
export async function kernelResult(
  kernel: GpuKernel,
  arrays: readonly Float32Array[],
  { into, storages = [], capabilities }: KernelRun = {},
): Promise<Float32Array> {
  const { backend, assertSound } = await loadWebgpu();
  useWebgpu();
  const options = capabilities === undefined ? {} : { capabilities };
  const owned: Tensor[] = [];
  const keep = <Kept extends Tensor>(tensor: Kept): Kept => {
    owned.push(tensor);
    return tensor;
  };
  const run = (each: GpuKernel, inputs: readonly Tensor[], target?: Tensor) => {
    const info = runKernel(backend, each, inputs, { ...options, ...(target && { into: target }) });
    return target ?? keep(tf.engine().makeTensorFromTensorInfo(info));
  };
  const tensors = arrays.map((values, index) => {
    const tensor = keep(tf.tensor1d(values));
    return storages[index] === 'float16' ? run(storeKernel([values.length], 'float16'), [tensor]) : tensor;
  });
  let result: Tensor;
  if (into === undefined) {
    result = run(kernel, tensors);
    const { shape, storage } = kernel.output;
    if (storage === 'float16') result = run(storeKernel(shape, 'float32'), [result]);
  } else {
    result = run(copyKernel(into.length), [run(kernel, tensors, keep(tf.tensor1d(into)))]);
  }
  const values = await result.data<'float32'>();
  assertSound();
  tf.dispose(owned);
  return values;
}

/** The nearest number of 16 bits: 11 bits of precision, or multiples of 2^-24 near zero. */
export function toFloat16(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value))));
  const unit = 2 ** (exponent - 10);
  return value === 0 ? 0 : Math.round(value / unit) * unit;
}
