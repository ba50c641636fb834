import { RandomPurpose, RandomStream } from '@lunastream/random';
import { afterEach, describe, expect, it } from 'vitest';
import type { Batch } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { EngineMemoryError, EngineUnavailableError } from '../errors.ts';
import { hashState } from '../model-state.ts';
import { TfjsEngine } from '../tfjs/tfjs-engine.ts';
import { SharedMemory } from './shared-memory.ts';
import { SimdEngine } from './simd-engine.ts';

const CUBE = { depth: 16, height: 16, width: 16 };
const VOXELS = 16 ** 3;
const SETTINGS: EngineSettings = {
  engine: 'simd',
  chunkShape: CUBE,
  learningRate: 0.01,
  momentum: 0.9,
  runSeed: 3,
};

/** Noise around -500 HU, brighter in every second chunk. */
function noiseBatch(count: number, seed: number): Batch {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return {
    voxelsHu: Float32Array.from(
      { length: count * VOXELS },
      (_, index) => -500 + 120 * (Math.floor(index / VOXELS) % 2) + 100 * random.gaussian(),
    ),
    labels: Uint8Array.from({ length: count }, (_, sample) => sample % 2),
    count,
  };
}

const started: SimdEngine[] = [];
async function start(change: Partial<EngineSettings> = {}): Promise<SimdEngine> {
  const { engine } = await SimdEngine.start({ ...SETTINGS, ...change });
  started.push(engine);
  return engine;
}
afterEach(() => {
  for (const engine of started.splice(0)) engine.dispose();
});

describe('SimdEngine', () => {
  it('gives equal bits on 1, 2, 3 and 4 threads, in batches of more than one wave too', async () => {
    const hashes = new Set<string>();
    for (const threads of [1, 2, 3, 4]) {
      const engine = await start({ threads });
      for (const [seed, count] of [5, 37].entries()) await engine.trainBatch(noiseBatch(count, seed));
      const { losses } = await engine.evaluateBatch(noiseBatch(35, 9));
      hashes.add(
        hashState([...(await engine.exportState()), { name: 'losses', shape: [35], values: losses }]),
      );
      expect(engine.threads).toBe(threads);
    }
    expect(hashes.size).toBe(1);
  });

  it('gives equal bits on 1 and 3 threads where blocks are frozen', async () => {
    const hashes = new Set<string>();
    for (const threads of [1, 3]) {
      const engine = await start({ threads, fineTuneDepth: 3 });
      for (const [seed, count] of [5, 37].entries()) await engine.trainBatch(noiseBatch(count, seed));
      hashes.add(hashState(await engine.exportState()));
    }
    expect(hashes.size).toBe(1);
  });

  it('trains to the loss that tfjs reaches', async () => {
    const simd = await start({ learningRate: 0.005 });
    const { engine: tfjs } = await TfjsEngine.start({ ...SETTINGS, engine: 'tfjs', learningRate: 0.005 });
    const last = { simd: 0, tfjs: 0 };
    for (let step = 0; step < 60; step++) {
      const batch = noiseBatch(2, step);
      const [ours, theirs] = [await simd.trainBatch(batch), await tfjs.trainBatch(batch)];
      if (step < 40) continue;
      last.simd += ours.losses[0]! + ours.losses[1]!;
      last.tfjs += theirs.losses[0]! + theirs.losses[1]!;
    }
    tfjs.dispose();
    expect(last.tfjs / 40).toBeLessThan(0.6);
    expect(Math.abs(last.simd / last.tfjs - 1)).toBeLessThan(0.01);
  });

  it('has the gradient that differences of the loss show', async () => {
    const batch = noiseBatch(2, 1);
    const engine = await start({ momentum: 0 });
    const before = await engine.exportState();
    await engine.trainBatch(batch);
    const gradients = (await engine.exportState()).filter(({ name }) => name.startsWith('optimizer.'));
    const meanLoss = async (direction: number) => {
      const changed = before.map((tensor, index) => {
        const gradient = gradients[index]?.values;
        if (gradient === undefined || gradient.length !== tensor.values.length) return tensor;
        return { ...tensor, values: tensor.values.map((value, i) => value + direction * gradient[i]!) };
      });
      await engine.importState(changed);
      const { losses } = await engine.trainBatch(batch);
      return (losses[0]! + losses[1]!) / 2;
    };
    const squaredNorm = gradients.reduce(
      (sum, { values }) => sum + values.reduce((part, value) => part + value * value, 0),
      0,
    );
    // Along the gradient g the loss changes by step · |g|².
    const step = 3e-4 / Math.sqrt(squaredNorm);
    const slope = ((await meanLoss(step)) - (await meanLoss(-step))) / (2 * step);
    expect(slope / squaredNorm).toBeGreaterThan(0.98);
    expect(slope / squaredNorm).toBeLessThan(1.02);
  });

  it('gives NaN for a diverged model, not a number that looks like one', async () => {
    const engine = await start();
    const state = await engine.exportState();
    await engine.importState(
      state.map((tensor) =>
        tensor.name === 'block1.conv1.bias' ? { ...tensor, values: tensor.values.fill(Number.NaN) } : tensor,
      ),
    );
    const { losses, probabilities } = await engine.evaluateBatch(noiseBatch(1, 1));
    expect(losses[0]).toBeNaN();
    expect(probabilities[0]).toBeNaN();
  });

  it('refuses a model that does not fit into memory', async () => {
    const chunkShape = { depth: 512, height: 512, width: 512 };
    await expect(start({ chunkShape, threads: 1 })).rejects.toThrow(EngineUnavailableError);
    await expect(start({ chunkShape, threads: 1 })).rejects.toThrow(
      'Cannot start engine simd: the model for chunks of 512 x 512 x 512 must fit into 4 GiB of memory',
    );
  });

  it('refuses a batch that does not fit into memory, changes nothing, and trains on smaller ones', async () => {
    const { engine } = await SimdEngine.start({ ...SETTINGS, threads: 1 }, new SharedMemory(24 * 2 ** 20));
    started.push(engine);
    const before = hashState(await engine.exportState());
    const large = noiseBatch(1500, 1);
    await expect(engine.trainBatch(large)).rejects.toThrow(EngineMemoryError);
    await expect(engine.trainBatch(large)).rejects.toThrow(
      /^Cannot allocate \d+\.\d MiB for the model: .*\(take smaller batches or chunks\)$/,
    );
    expect(hashState(await engine.exportState())).toBe(before);
    const { engine: other } = await SimdEngine.start({ ...SETTINGS, threads: 1 });
    started.push(other);
    expect(await engine.trainBatch(noiseBatch(4, 2))).toEqual(await other.trainBatch(noiseBatch(4, 2)));
  });

  it('evaluates batches of any size in bounded memory, each sample as alone', async () => {
    const memory = new SharedMemory();
    const { engine } = await SimdEngine.start({ ...SETTINGS, threads: 1 }, memory);
    started.push(engine);
    const large = noiseBatch(2500, 1);
    const { losses } = await engine.evaluateBatch(large);
    const used = memory.usedBytes;
    // 2500 chunks of 16 KiB are 39 MiB; they pass in 32.
    expect(used).toBeLessThan(60 * 2 ** 20);
    await engine.evaluateBatch(noiseBatch(5000, 2));
    expect(memory.usedBytes).toBe(used);
    const last = {
      ...large,
      voxelsHu: large.voxelsHu.subarray(-VOXELS),
      labels: large.labels.subarray(-1),
      count: 1,
    };
    expect((await engine.evaluateBatch(last)).losses[0]).toBe(losses.at(-1));
  });

  it('names its threads, all cores by default', async () => {
    expect((await start({ threads: 1 })).device).toBe('WebAssembly SIMD, 1 thread');
    expect((await start()).threads).toBeGreaterThanOrEqual(1);
  });
});
