import { SMALL_GOLDEN_SHAPE, smallGoldenVolume } from '@lunastream/testing';
import tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Batch, Engine, ModelTensor } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { hashState } from '../model-state.ts';
import { SimdEngine } from '../simd/simd-engine.ts';
import { batchOf, withGoldenParameters } from '../testing/golden-batch.ts';
import { WEBGPU_FAULT } from '../testing/webgpu.ts';
import { gpuDevices } from './gpu-devices.ts';
import { loadWebgpu } from './load-webgpu.ts';
import { startDawn } from './start-dawn.ts';
import { WebgpuEngine } from './webgpu-engine.ts';

const SIZE = 16 * 16 * 17;
const SETTINGS: EngineSettings = {
  engine: 'webgpu',
  chunkShape: SMALL_GOLDEN_SHAPE,
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 7,
};

/** Golden volumes from the first on, labels alternating. */
function goldenBatch(count: number): Batch {
  const samples = Array.from({ length: count }, (_, sample) => sample);
  return batchOf(
    samples.map(smallGoldenVolume),
    samples.map((sample) => sample % 2),
  );
}

/** Largest difference, relative to the largest value. */
function distance(actual: Float32Array, expected: Float32Array): number {
  const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0) / size;
}

function expectNear(
  actual: readonly ModelTensor[],
  expected: readonly ModelTensor[],
  tolerance: number,
): void {
  expect(actual.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  for (const [index, { name, shape, values }] of actual.entries()) {
    expect(shape, name).toEqual(expected[index]!.shape);
    // Of the normalisation's two, sums over all voxels cancel to a hundredth and less of their terms.
    const cancels = name.includes('tail_batchnorm.');
    expect(distance(values, expected[index]!.values), name).toBeLessThan(
      cancels ? 20 * tolerance : tolerance,
    );
  }
}

const title = WEBGPU_FAULT === undefined ? 'WebgpuEngine' : `WebgpuEngine [skipped: ${WEBGPU_FAULT}]`;

describe.skipIf(WEBGPU_FAULT !== undefined)(title, () => {
  const started: Engine[] = [];
  afterEach(() => {
    vi.restoreAllMocks();
    for (const engine of started.splice(0)) engine.dispose();
  });
  async function start(change: Partial<EngineSettings> = {}, groupSamples?: number): Promise<WebgpuEngine> {
    const options = groupSamples === undefined ? {} : { groupSamples };
    const { engine } = await WebgpuEngine.start({ ...SETTINGS, ...change }, options);
    started.push(engine);
    return engine;
  }
  async function startSimd(change: Partial<EngineSettings> = {}): Promise<SimdEngine> {
    const { engine } = await SimdEngine.start({ ...SETTINGS, ...change, engine: 'simd', threads: 1 });
    started.push(engine);
    return engine;
  }

  it('makes three steps of the golden model as the simd engine does, and keeps its tensors constant', async () => {
    const engine = await withGoldenParameters(await start({}, 1), SMALL_GOLDEN_SHAPE);
    const reference = await withGoldenParameters(await startSimd(), SMALL_GOLDEN_SHAPE);
    // Two groups: their gradients are added.
    const batch = goldenBatch(2);
    const tensors: number[] = [];
    for (let step = 0; step < 3; step++) {
      const actual = await engine.trainBatch(batch);
      const expected = await reference.trainBatch(batch);
      expect(distance(actual.losses, expected.losses), `losses of step ${step}`).toBeLessThan(1e-5);
      expect(distance(actual.probabilities, expected.probabilities)).toBeLessThan(1e-5);
      expectNear(await engine.exportGradients(), await reference.exportGradients(), 1e-4);
      tensors.push(tf.memory().numTensors);
    }
    expectNear(await engine.exportState(), await reference.exportState(), 1e-4);
    expect(tensors).toEqual([tensors[0], tensors[0], tensors[0]]);
  });

  it('shows the layers of a sample as the simd engine does', async () => {
    const engine = await withGoldenParameters(await start(), SMALL_GOLDEN_SHAPE);
    const reference = await withGoldenParameters(await startSimd(), SMALL_GOLDEN_SHAPE);
    const { voxelsHu } = goldenBatch(1);
    expectNear(await engine.inspectSample(voxelsHu), await reference.inspectSample(voxelsHu), 1e-5);
  });

  // With float32 the shared suites do (engine-behaviour.test.ts).
  const HALVES = { activationStorage: 'float16' } as const;
  it('gives equal bits for equal steps with float16 activations, from an imported state too', async () => {
    const batch = goldenBatch(1);
    const first = await start(HALVES);
    await first.trainBatch(batch);
    const second = await start({ ...HALVES, runSeed: 99 });
    await second.importState(await first.exportState());
    await first.trainBatch(batch);
    await second.trainBatch(batch);
    expect(hashState(await second.exportState())).toBe(hashState(await first.exportState()));
  });

  it('sends the next batch up and puts its step on the queue while the device computes, to the same bits', async () => {
    const batches = [goldenBatch(2), goldenBatch(1)];
    const apart = await start({}, 1);
    const expected = [];
    for (const batch of batches) expected.push(await apart.trainBatch(batch));
    expected.push(await apart.evaluateBatch(batches[0]!));
    const together = await start({}, 1);
    const { queue } = (await loadWebgpu()).backend.device;
    const events: string[] = [];
    const write = vi.spyOn(queue, 'writeBuffer');
    const submit = vi.spyOn(queue, 'submit');
    const steps = batches.map(async (batch, index) => {
      events.push(`call ${index}`);
      write.mockClear();
      submit.mockClear();
      const step = together.trainBatch(batch);
      // Voxels are by far the largest that is written; the last submission ends in the copy that is waited for.
      const isSent = write.mock.calls.some(([, , , , length]) => length === SIZE);
      if (isSent && submit.mock.calls.length > 0) events.push(`on the queue ${index}`);
      const result = await step;
      events.push(`done ${index}`);
      return result;
    });
    const answers = [...steps, together.evaluateBatch(batches[0]!)];
    expect(await Promise.all(answers)).toEqual(expected);
    expect(events).toEqual([
      ...[0, 1].flatMap((index) => [`call ${index}`, `on the queue ${index}`]),
      ...['done 0', 'done 1'],
    ]);
    expect(hashState(await together.exportState())).toBe(hashState(await apart.exportState()));
  });

  it('exports what it was when it was asked, whatever is trained meanwhile', async () => {
    const engine = await start();
    const batch = goldenBatch(1);
    await engine.trainBatch(batch);
    const [state, gradients] = [await engine.exportState(), await engine.exportGradients()];
    const asked = [engine.exportState(), engine.exportGradients()] as const;
    const later = engine.trainBatch(batch);
    expect(hashState(await asked[0])).toBe(hashState(state));
    expect(await asked[1]).toEqual(gradients);
    await later;
    expect(hashState(await engine.exportState())).not.toBe(hashState(state));
  });

  it('takes no new memory once it has trained and evaluated', async () => {
    const engine = await start();
    const batch = goldenBatch(1);
    const both = () =>
      Promise.all([engine.trainBatch(batch), engine.trainBatch(batch), engine.evaluateBatch(batch)]);
    await both();
    await both();
    const { backend } = await loadWebgpu();
    const before = { ...backend.memory(), tensors: tf.memory().numTensors };
    const create = vi.spyOn(backend.device, 'createBuffer');
    await both();
    expect(create).not.toHaveBeenCalled();
    expect({ ...backend.memory(), tensors: tf.memory().numTensors }).toEqual(before);
  });

  it('evaluates a sample alone as in a batch with float16 activations, bit by bit, and changes nothing', async () => {
    const engine = await start(HALVES);
    const before = hashState(await engine.exportState());
    const batch = goldenBatch(2);
    const together = await engine.evaluateBatch(batch);
    const alone = await engine.evaluateBatch({
      voxelsHu: batch.voxelsHu.subarray(SIZE),
      labels: batch.labels.subarray(1),
      count: 1,
    });
    expect(alone.losses[0]).toBe(together.losses[1]);
    expect(alone.probabilities[0]).toBe(together.probabilities[1]);
    expect(hashState(await engine.exportState())).toBe(before);
  });

  it('differs with float16 activations by their rounding, in layers, losses and gradients', async () => {
    const engine = await withGoldenParameters(await start(HALVES), SMALL_GOLDEN_SHAPE);
    const reference = await withGoldenParameters(await startSimd(), SMALL_GOLDEN_SHAPE);
    const batch = goldenBatch(2);
    const actual = await engine.trainBatch(batch);
    const expected = await reference.trainBatch(batch);
    // Half a unit of the last of 11 bits, in each of some layers, of the largest value.
    const rounding = 2 ** -9;
    expect(distance(actual.losses, expected.losses)).toBeLessThan(rounding);
    const gradients = await reference.exportGradients();
    for (const [index, { name, values }] of (await engine.exportGradients()).entries()) {
      // Pools choose between values, and a ReLU's mask ends, where they differ by less than 11 bits tell: below block 4 gradients
      // move by steps.
      const isFree = !/^(block4|head)/.test(name);
      const error = distance(values, gradients[index]!.values);
      expect(error, name).toBeLessThan(isFree ? 32 * rounding : rounding);
      if (name.endsWith('weight')) expect(error, `float16 of ${name}`).toBeGreaterThan(1e-5);
    }
    const { voxelsHu } = goldenBatch(1);
    const layers = await engine.inspectSample(voxelsHu);
    for (const [index, { name, values }] of (await reference.inspectSample(voxelsHu)).entries()) {
      expect(distance(layers[index]!.values, values), name).toBeLessThan(rounding);
    }
  });

  // Sixteen samples forth and back on a CPU, beside whatever else it does.
  it('learns with float16 activations as float32 does', { timeout: 600_000 }, async () => {
    const rules = { momentum: 0.9, learningRate: 0.02 };
    const [engine, reference] = [await start({ ...HALVES, ...rules }), await startSimd(rules)];
    const batch = goldenBatch(2);
    const losses: number[] = [];
    for (let step = 0; step < 8; step++) {
      const [actual, expected] = [await engine.trainBatch(batch), await reference.trainBatch(batch)];
      for (const [sample, loss] of expected.losses.entries()) {
        expect(Math.abs(actual.losses[sample]! - loss), `step ${step}`).toBeLessThan(0.01);
      }
      losses.push((actual.losses[0]! + actual.losses[1]!) / 2);
    }
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.9);
  });

  it.each<[string, Partial<EngineSettings>]>([
    ['adam and clipping', { optimizer: 'adam', weightDecay: 0.01, largestGradientNorm: 0.5 }],
    ['sgd of the head and two blocks', { fineTuneDepth: 3, largestGradientNorm: 0.1 }],
    ['weighted focal loss and sgd with decay', { positiveWeight: 3, focusing: 2, weightDecay: 0.1 }],
  ])('learns by %s as the simd engine does', async (_, rules) => {
    const engine = await start(rules);
    const reference = await startSimd(rules);
    const batch = { ...goldenBatch(1), labels: Float32Array.of(0.75) };
    const actual = await engine.trainBatch(batch, 0.01);
    const expected = await reference.trainBatch(batch, 0.01);
    expect(distance(actual.losses, expected.losses)).toBeLessThan(1e-5);
    expectNear(await engine.exportGradients(), await reference.exportGradients(), 1e-4);
    // Adam divides by a gradient's own size: small gradients' rounding shows in full.
    expectNear(await engine.exportState(), await reference.exportState(), 1e-3);
  });

  it('refuses bad voxels before the device sees them', async () => {
    const engine = await start();
    const batch = goldenBatch(1);
    batch.voxelsHu[5] = Number.NaN;
    await expect(engine.trainBatch(batch)).rejects.toThrow('voxel 5 of sample 0 must be finite, got NaN');
  });

  it('is not chosen by itself where a CPU computes in place of a GPU', async () => {
    const loaded = { ...(await loadWebgpu()), isGpu: false, device: 'SwiftShader' };
    const options = { load: () => Promise.resolve(loaded), devices: ['dri'] };
    await expect(WebgpuEngine.startOnGpu(SETTINGS, options)).rejects.toThrow(
      'Cannot start engine webgpu: found no GPU, only SwiftShader',
    );
  });
});

describe('WebgpuEngine.startOnGpu()', () => {
  it('does not load Dawn where the machine shows no GPU', async () => {
    const load = () => Promise.reject(new Error('loaded'));
    await expect(WebgpuEngine.startOnGpu(SETTINGS, { load, devices: [] })).rejects.toThrow(
      'Cannot start engine webgpu: no GPU (no nvidia, dri or dxg in /dev)',
    );
  });

  it('knows a GPU by its device file on Linux, and asks elsewhere', () => {
    const names = () => ['null', 'nvidiactl', 'nvidia7', 'dri', 'dxg', 'tty'];
    expect(gpuDevices(names, 'linux')).toEqual(['nvidia7', 'dri', 'dxg']);
    expect(gpuDevices(() => ['null', 'tty'], 'linux')).toEqual([]);
    expect(gpuDevices(names, 'darwin')).toHaveLength(1);
  });
});

describe('startDawn()', () => {
  it('says what to do where its optional module is missing', async () => {
    const missing = Object.assign(new Error("Cannot find package 'webgpu' imported from here"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    await expect(startDawn(() => Promise.reject(missing))).rejects.toThrow(
      'Cannot start engine webgpu: webgpu is not installed (npm install --include=optional)',
    );
  });

  it('tells a module that does not load from one that is missing, and an adapter that is not there', async () => {
    await expect(startDawn(() => Promise.reject(new Error('GLIBC_2.34 not found\nmore')))).rejects.toThrow(
      /webgpu is installed but does not load: GLIBC_2.34 not found$/,
    );
    const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    const dawn = { create: () => gpu, globals: {} };
    await expect(startDawn(() => Promise.resolve(dawn))).rejects.toThrow(/no GPU answers \(its driver must/);
  });
});
