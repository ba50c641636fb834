import { availableParallelism } from 'node:os';
import tf from '@tensorflow/tfjs';
import { SharedMemory } from '../simd/shared-memory.ts';
import { ThreadPool } from '../simd/thread-pool.ts';
import { registerBatchNormalisation } from './batch-normalisation.ts';
import { replaceConvolutions } from './convolution-kernels.ts';
import { registerCrossEntropy } from './cross-entropy.ts';
import { replaceElementwise } from './elementwise-kernels.ts';
import { registerFusedConvolution } from './fused-convolution.ts';
import { registerMomentumStep } from './momentum-optimizer.ts';
import { replacePools } from './pool-kernels.ts';
import { BACKEND_NAME } from './replaced-kernel.ts';
import { SimdBackend } from './simd-backend.ts';

export interface SimdBackendSettings {
  /** 1 to 256; results do not depend on it. Default: the cores that are available. */
  readonly threads?: number;
  /** Most bytes of shared memory that tensors may take, up to 4 GiB, which is the default. */
  readonly largestBytes?: number;
}

/**
 * Makes `tf.setBackend('simd')` possible in this thread; any tfjs model then trains on it. What has no kernel here runs as
 * in the CPU backend. The backend blocks its thread while it computes; `tf.removeBackend('simd')` ends its threads.
 * @throws EngineUnavailableError where WebAssembly SIMD or threads are missing.
 */
export async function registerSimdBackend({
  threads = availableParallelism(),
  largestBytes,
}: SimdBackendSettings = {}): Promise<SimdBackend> {
  const pool = await ThreadPool.start(new SharedMemory(largestBytes), threads);
  const backend = new SimdBackend(pool);
  tf.registerBackend(BACKEND_NAME, () => backend);
  if (tf.getKernelsForBackend(BACKEND_NAME).length === 0) {
    tf.copyRegisteredKernels('cpu', BACKEND_NAME);
    replaceConvolutions();
    replacePools();
    replaceElementwise();
    registerFusedConvolution();
    registerBatchNormalisation();
    registerCrossEntropy();
    registerMomentumStep();
  }
  return backend;
}
