import tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { LoadedTensorflow } from './load-tensorflow.ts';
import { TensorflowEngine } from './tensorflow-engine.ts';

const SETTINGS = {
  ...{ engine: 'tensorflow', chunkShape: { depth: 16, height: 16, width: 16 } },
  ...{ learningRate: 0.001, momentum: 0.99, runSeed: 7 },
};

/** tfjs in the place of TensorFlow's module. */
async function loaded(usesGpu: boolean): Promise<LoadedTensorflow> {
  await tf.setBackend('cpu');
  const device = 'TensorFlow on a GPU, NVIDIA H200 (@tensorflow/tfjs-node-gpu)';
  return { tf, device, usesGpu, module: '@tensorflow/tfjs-node-gpu', deviceMemoryBytes: 2 ** 37 };
}

describe('TensorflowEngine.startOnGpu()', () => {
  it('takes a GPU, and tells its name and memory', async () => {
    const { engine, reason } = await TensorflowEngine.startOnGpu(SETTINGS, () => loaded(true));
    expect(reason).toBe('@tensorflow/tfjs-node-gpu found a GPU');
    expect(engine.device).toBe('TensorFlow on a GPU, NVIDIA H200 (@tensorflow/tfjs-node-gpu)');
    expect(engine.deviceMemoryBytes).toBe(2 ** 37);
    engine.dispose();
  });

  it('says what may be missing where TensorFlow takes the CPU', async () => {
    await expect(TensorflowEngine.startOnGpu(SETTINGS, () => loaded(false))).rejects.toThrow(
      "Cannot start engine tensorflow: @tensorflow/tfjs-node-gpu found no GPU: NVIDIA's driver and all of CUDA's " +
        'libraries must be there (TF_CPP_MIN_LOG_LEVEL=0 tells which is missing)',
    );
  });
});
