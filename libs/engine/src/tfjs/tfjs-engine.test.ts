import { goldenVolume, GOLDEN_SHAPE } from '@lunastream/testing';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { batchStatistics } from '../input-normalisation.ts';
import { hashState } from '../model-state.ts';
import { TfjsEngine } from './tfjs-engine.ts';

const CUBE = { depth: 16, height: 16, width: 16 };
const SETTINGS: EngineSettings = {
  engine: 'tfjs',
  chunkShape: CUBE,
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 7,
};

const started: TfjsEngine[] = [];
async function start(change: Partial<EngineSettings> = {}): Promise<TfjsEngine> {
  const { engine } = await TfjsEngine.start({ ...SETTINGS, ...change });
  started.push(engine);
  return engine;
}
afterEach(() => {
  for (const engine of started.splice(0)) engine.dispose();
});

/** Noisy air; every second chunk has a ball of tissue, radius 4 voxels, at its centre. */
function ballBatch(count: number, seed: number): Batch {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  const labels = Uint8Array.from({ length: count }, (_, sample) => sample % 2);
  const size = CUBE.depth * CUBE.height * CUBE.width;
  const voxelsHu = Float32Array.from({ length: count * size }, (_, index) => {
    const voxel = index % size;
    const [d, h, w] = [voxel >> 8, (voxel >> 4) & 15, voxel & 15];
    const inBall = (d - 7.5) ** 2 + (h - 7.5) ** 2 + (w - 7.5) ** 2 < 16;
    return (labels[Math.floor(index / size)] === 1 && inBall ? 0 : -800) + 100 * random.gaussian();
  });
  return { voxelsHu, labels, count };
}

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('TfjsEngine', () => {
  it('starts near ln 2, undecided about every sample, whatever the seed (facts B5)', async () => {
    const size = GOLDEN_SHAPE.depth * GOLDEN_SHAPE.height * GOLDEN_SHAPE.width;
    const voxelsHu = new Float32Array(6 * size);
    for (let volume = 0; volume < 6; volume++) voxelsHu.set(goldenVolume(volume), volume * size);
    const { mean: hu, variance } = batchStatistics(voxelsHu);
    const asInTraining = new Map([
      ['tail_batchnorm.running_mean', hu],
      ['tail_batchnorm.running_var', variance],
    ]);
    for (const runSeed of [1, 2, 3, 4, 5]) {
      const engine = await start({ chunkShape: GOLDEN_SHAPE, runSeed });
      const fresh = await engine.exportState();
      await engine.importState(
        fresh.map(({ name, shape, values }) => ({
          name,
          shape,
          values: values.map((value) => asInTraining.get(name) ?? value),
        })),
      );
      const { losses, probabilities } = await engine.evaluateBatch({
        voxelsHu,
        labels: Uint8Array.of(0, 1, 1, 1, 0, 0),
        count: 6,
      });
      expect(Math.abs(mean(losses) / Math.LN2 - 1)).toBeLessThan(0.1);
      for (const probability of probabilities) expect(Math.abs(probability - 0.5)).toBeLessThan(0.2);
    }
  });

  it('holds the same number of tensors after every step, and none after dispose()', async () => {
    const outside = tf.memory().numTensors;
    const { engine } = await TfjsEngine.start(SETTINGS);
    const counts: number[] = [];
    for (const seed of [1, 2, 3]) {
      await engine.trainBatch(ballBatch(3, seed));
      await engine.evaluateBatch(ballBatch(2, seed));
      await engine.importState(await engine.exportState());
      counts.push(tf.memory().numTensors);
    }
    expect(new Set(counts).size).toBe(1);
    engine.dispose();
    expect(tf.memory().numTensors).toBe(outside);
  });

  it('computes the same on both backends, to float32 rounding, also side by side', async () => {
    const wasm = await start({ backend: 'wasm' });
    const cpu = await start({ backend: 'cpu' });
    for (const seed of [1, 2]) {
      const onWasm = await wasm.trainBatch(ballBatch(2, seed));
      const onCpu = await cpu.trainBatch(ballBatch(2, seed));
      for (const sample of [0, 1]) expect(onCpu.losses[sample]).toBeCloseTo(onWasm.losses[sample]!, 5);
    }
    expect(wasm.device).toMatch(/WebAssembly/);
    expect(cpu.device).toMatch(/JavaScript/);
  });

  it('keeps nothing of a batch that the device failed on half-way', async () => {
    const engine = await start();
    const untroubled = await start();
    const tensors = tf.memory().numTensors;
    const device = tf.engine();
    const runKernel = device.runKernel.bind(device);
    let kernels = 0;
    let failAt = Infinity;
    const spy = vi.spyOn(device, 'runKernel').mockImplementation((...kernel) => {
      if (kernels++ === failAt) throw new Error('out of memory');
      return runKernel(...kernel);
    });
    await untroubled.trainBatch(ballBatch(1, 1));
    failAt = 3 * kernels - 10; // near the end of the next batch's second sample
    await expect(engine.trainBatch(ballBatch(2, 5))).rejects.toThrow('out of memory');
    spy.mockRestore();
    await engine.trainBatch(ballBatch(1, 1));
    expect(hashState(await engine.exportState())).toBe(hashState(await untroubled.exportState()));
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
