import { goldenVolume, GOLDEN_SHAPE } from '@lunastream/testing';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { InvalidBatchError, ModelStateMismatchError } from '../errors.ts';
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
  it('learns: the loss on a separable task falls to a tenth, in evaluation too', async () => {
    const engine = await start({ learningRate: 0.02, momentum: 0.9 });
    const first = await engine.trainBatch(ballBatch(8, 0));
    for (let step = 1; step < 20; step++) await engine.trainBatch(ballBatch(8, step));
    const unseen = await engine.evaluateBatch(ballBatch(16, 1000));
    expect(mean(first.losses)).toBeGreaterThan(0.6);
    expect(mean(unseen.losses)).toBeLessThan(0.06);
    expect([...unseen.probabilities].map((p) => Number(p > 0.5))).toEqual([...ballBatch(16, 1000).labels]);
  });

  it('gives bit-identical weights for the same seed and batches, others for another seed', async () => {
    const run = async (runSeed: number) => {
      const engine = await start({ runSeed });
      for (const seed of [1, 2, 3]) await engine.trainBatch(ballBatch(4, seed));
      return hashState(await engine.exportState());
    };
    const hash = await run(7);
    expect(await run(7)).toBe(hash);
    expect(await run(8)).not.toBe(hash);
  });

  it('goes on bit-identically from an exported state, momentum included', async () => {
    const whole = await start();
    const firstHalf = await start();
    for (const seed of [1, 2]) {
      await whole.trainBatch(ballBatch(4, seed));
      await firstHalf.trainBatch(ballBatch(4, seed));
    }
    const secondHalf = await start({ runSeed: 99 });
    await secondHalf.importState(await firstHalf.exportState());
    for (const seed of [3, 4]) {
      await whole.trainBatch(ballBatch(4, seed));
      await secondHalf.trainBatch(ballBatch(4, seed));
    }
    expect(hashState(await secondHalf.exportState())).toBe(hashState(await whole.exportState()));
  });

  it('evaluates each sample by itself and changes nothing', async () => {
    const engine = await start();
    await engine.trainBatch(ballBatch(4, 1));
    const before = hashState(await engine.exportState());
    const batch = ballBatch(3, 2);
    const together = await engine.evaluateBatch(batch);
    const size = batch.voxelsHu.length / batch.count;
    for (let sample = 0; sample < batch.count; sample++) {
      const alone = await engine.evaluateBatch({
        voxelsHu: batch.voxelsHu.subarray(sample * size, (sample + 1) * size),
        labels: batch.labels.subarray(sample, sample + 1),
        count: 1,
      });
      expect(alone.losses[0]).toBe(together.losses[sample]);
      expect(alone.probabilities[0]).toBe(together.probabilities[sample]);
    }
    expect(hashState(await engine.exportState())).toBe(before);
  });

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

  it('trains on labels between 0 and 1', async () => {
    const engine = await start();
    const { losses, probabilities } = await engine.trainBatch({
      ...ballBatch(2, 1),
      labels: Float32Array.of(0.25, 1),
    });
    const [p] = probabilities;
    expect(losses[0]).toBeCloseTo(-0.25 * Math.log(p!) - 0.75 * Math.log(1 - p!), 6);
  });

  const withVoxel = (hu: number) => {
    const batch = ballBatch(2, 1);
    batch.voxelsHu[4096 + 5] = hu;
    return batch;
  };
  it.each<[string, Batch, RegExp]>([
    ['a NaN voxel', withVoxel(Number.NaN), /voxel 5 of sample 1 must be finite, got NaN/],
    ['an infinite voxel', withVoxel(Infinity), /voxel 5 of sample 1 must be finite, got Infinity/],
    ['too few voxels', { ...ballBatch(2, 1), count: 3 }, /3 x 16 x 16 x 16 = 12288 voxels, got 8192/],
    ['no samples', { ...ballBatch(2, 1), count: 0 }, /count must be 1 or more, got 0/],
    ['too few labels', { ...ballBatch(2, 1), labels: Uint8Array.of(1) }, /labels must hold 2 values, got 1/],
    ['a label above 1', { ...ballBatch(2, 1), labels: Uint8Array.of(1, 2) }, /label of sample 1.*got 2/],
  ])('refuses %s and stays as it was', async (_, batch, message) => {
    const engine = await start();
    const before = hashState(await engine.exportState());
    await expect(engine.trainBatch(batch)).rejects.toThrow(InvalidBatchError);
    await expect(engine.evaluateBatch(batch)).rejects.toThrow(message);
    expect(hashState(await engine.exportState())).toBe(before);
  });

  it('refuses a state of another chunk shape and stays as it was', async () => {
    const engine = await start();
    const before = hashState(await engine.exportState());
    const other = await start({ chunkShape: { ...CUBE, depth: 32 } });
    await expect(engine.importState(await other.exportState())).rejects.toThrow(ModelStateMismatchError);
    await expect(engine.importState(await other.exportState())).rejects.toThrow(
      /head_linear\.weight.*chunk shape/,
    );
    expect(hashState(await engine.exportState())).toBe(before);
  });
});
