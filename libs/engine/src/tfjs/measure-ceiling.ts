/** What TensorFlow can do at most on its device: one large matrix product after the other. A step is judged by it. */
import type { Tensor2D } from '@tensorflow/tfjs';
import { loadTensorflow, type LoadedTensorflow } from './load-tensorflow.ts';

export interface ProductCeiling {
  /** Operations of float32 matrix products, a multiply-add counted as two, in 10^12 a second. */
  readonly teraflops: number;
}

export interface ProductCeilingOptions {
  readonly load?: () => Promise<LoadedTensorflow>;
  /** Of the square matrices. Default: 8192 on a GPU, 1024 on a CPU. */
  readonly side?: number;
  /** A measurement repeats the product until it takes so long. */
  readonly leastMs?: number;
}

const GPU_SIDE = 8192;
const CPU_SIDE = 1024;
const LEAST_MS = 200;
const MEASUREMENTS = 3;

/**
 * The fastest of some measurements; the result is checked. On a GPU since Ampere, TensorFlow's products, like its convolutions, are of
 * TF32's short factors, unless `NVIDIA_TF32_OVERRIDE=0` is set.
 * @throws EngineUnavailableError where TensorFlow's module is missing or does not load.
 */
export async function measureProductCeiling({
  load = () => loadTensorflow(),
  side,
  leastMs = LEAST_MS,
}: ProductCeilingOptions = {}): Promise<ProductCeiling> {
  const { tf, usesGpu } = await load();
  const length = side ?? (usesGpu ? GPU_SIDE : CPU_SIDE);
  const [a, b]: [Tensor2D, Tensor2D] = [tf.ones([length, length]), tf.ones([length, length])];
  // Products queue up on a GPU: reading one number of the last waits for all.
  const multiply = (times: number): number => {
    const startMs = performance.now();
    const [corner] = tf.tidy(() => {
      for (let time = 1; time < times; time++) tf.matMul(a, b).dispose();
      return tf.slice(tf.matMul(a, b), [0, 0], [1, 1]).dataSync();
    });
    if (corner !== length) {
      throw new Error(
        `internal: TensorFlow gives ${corner} as an element of a product where ${length} is right`,
      );
    }
    return performance.now() - startMs;
  };
  let times = 1;
  multiply(times);
  let tookMs = multiply(times);
  while (tookMs < leastMs) {
    times *= 2;
    tookMs = multiply(times);
  }
  for (let measurement = 1; measurement < MEASUREMENTS; measurement++) {
    tookMs = Math.min(tookMs, multiply(times));
  }
  tf.dispose([a, b]);
  return { teraflops: (2 * length ** 3 * times) / (tookMs / 1000) / 1e12 };
}
