import { RandomPurpose, RandomStream } from '@lunastream/random';
import { afterEach, describe, expect, it } from 'vitest';
import type { Batch, Engine, ModelState } from './engine.ts';
import type { EngineSettings } from './engine-settings.ts';
import { InvalidBatchError, ModelStateMismatchError } from './errors.ts';
import { MODEL_PARTS, type ChunkShape } from './luna-model.ts';
import { bytesOf, hashState } from './model-state.ts';
import { ENGINE_CASES, type EngineCase } from './testing/engines.ts';

const CUBE = { depth: 16, height: 16, width: 16 };
const SETTINGS = { chunkShape: CUBE, learningRate: 0.001, momentum: 0.99, runSeed: 7 };

/** Noisy air; every second chunk has a ball of tissue, radius 4 voxels, at its centre. */
function ballBatch(count: number, seed: number, { depth, height, width }: ChunkShape = CUBE): Batch {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  const labels = Uint8Array.from({ length: count }, (_, sample) => sample % 2);
  const size = depth * height * width;
  const voxelsHu = Float32Array.from({ length: count * size }, (_, index) => {
    const voxel = index % size;
    const fromCentre = [
      Math.floor(voxel / (height * width)) - (depth - 1) / 2,
      (Math.floor(voxel / width) % height) - (height - 1) / 2,
      (voxel % width) - (width - 1) / 2,
    ];
    const inBall = fromCentre.reduce((sum, offset) => sum + offset ** 2, 0) < 16;
    return (labels[Math.floor(index / size)] === 1 && inBall ? 0 : -800) + 100 * random.gaussian();
  });
  return { voxelsHu, labels, count };
}

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(ENGINE_CASES)('engine $title', ({ title, isSkipped, isSlow, start: startEngine }) => {
  /** Samples of a batch: on a slow engine a quarter of those that others get. */
  const count = (samples: number) => (isSlow ? Math.ceil(samples / 4) : samples);
  const started: Engine[] = [];
  async function startCase(
    startIt: EngineCase['start'],
    change: Partial<EngineSettings> = {},
  ): Promise<Engine> {
    const { engine } = await startIt({ ...SETTINGS, ...change });
    started.push(engine);
    return engine;
  }
  const start = (change?: Partial<EngineSettings>) => startCase(startEngine, change);
  if (isSkipped) {
    it.skip('does what engines do', () => undefined);
    return;
  }
  afterEach(() => {
    for (const engine of started.splice(0)) engine.dispose();
  });

  it('learns: the loss on a separable task falls to a tenth, in evaluation too', async () => {
    const engine = await start({ learningRate: 0.02, momentum: 0.9 });
    const first = await engine.trainBatch(ballBatch(count(8), 0));
    for (let step = 1; step < 20; step++) await engine.trainBatch(ballBatch(count(8), step));
    const batch = ballBatch(count(16), 1000);
    const unseen = await engine.evaluateBatch(batch);
    expect(mean(first.losses)).toBeGreaterThan(0.6);
    expect(mean(unseen.losses)).toBeLessThan(0.06);
    expect([...unseen.probabilities].map((p) => Number(p > 0.5))).toEqual([...batch.labels]);
  });

  it('gives bit-identical weights for the same seed and batches, others for another seed', async () => {
    const run = async (runSeed: number) => {
      const engine = await start({ runSeed });
      for (const seed of [1, 2, 3]) await engine.trainBatch(ballBatch(count(4), seed));
      return hashState(await engine.exportState());
    };
    const hash = await run(7);
    expect(await run(7)).toBe(hash);
    expect(await run(8)).not.toBe(hash);
  });

  it('takes batches before it has answered the one before, and computes as one after the other', async () => {
    const [apart, together] = [await start(), await start()];
    const batches = [1, 2, 3].map((seed) => ballBatch(count(4), seed));
    const expected = [];
    for (const batch of batches) expected.push(await apart.trainBatch(batch));
    expected.push(await apart.evaluateBatch(batches[0]!));
    const answers = batches.map((batch) => together.trainBatch(batch));
    answers.push(together.evaluateBatch(batches[0]!));
    const state = together.exportState();
    expect(await Promise.all(answers)).toEqual(expected);
    expect(hashState(await state)).toBe(hashState(await apart.exportState()));
  });

  it('goes on bit-identically from an exported state, momentum included', async () => {
    const whole = await start();
    const firstHalf = await start();
    for (const seed of [1, 2]) {
      await whole.trainBatch(ballBatch(count(4), seed));
      await firstHalf.trainBatch(ballBatch(count(4), seed));
    }
    const secondHalf = await start({ runSeed: 99 });
    await secondHalf.importState(await firstHalf.exportState());
    for (const seed of [3, 4]) {
      await whole.trainBatch(ballBatch(count(4), seed));
      await secondHalf.trainBatch(ballBatch(count(4), seed));
    }
    expect(hashState(await secondHalf.exportState())).toBe(hashState(await whole.exportState()));
  });

  it('evaluates each sample by itself and changes nothing', async () => {
    const engine = await start();
    await engine.trainBatch(ballBatch(count(4), 1));
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

  it('tells what memory it holds, no more after more batches', async () => {
    const engine = await start();
    // Two: a batch may be sent while the one before is computed, each to a place of its own.
    for (const seed of [1, 2]) await engine.trainBatch(ballBatch(count(4), seed));
    const held = await engine.memoryBytes();
    // The weights at least; the two of the normalisation may lie elsewhere.
    expect(held).toBeGreaterThanOrEqual(4 * (engine.parameterCount - 2));
    for (const seed of [3, 4]) await engine.trainBatch(ballBatch(count(4), seed));
    expect(await engine.memoryBytes()).toBe(held);
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

  it.each([
    { depth: 17, height: 23, width: 31 },
    { depth: 16, height: 33, width: 18 },
  ])('trains at odd sizes as another engine does: %j', async (chunkShape) => {
    const isOther = (each: EngineCase) => each.title === (title === 'simd' ? 'tfjs' : 'simd');
    const other = await startCase(ENGINE_CASES.find(isOther)!.start, { chunkShape });
    const engine = await start({ chunkShape });
    for (const seed of [1, 2]) {
      const expected = await other.trainBatch(ballBatch(count(2), seed, chunkShape));
      const actual = await engine.trainBatch(ballBatch(count(2), seed, chunkShape));
      for (const [sample, loss] of expected.losses.entries())
        expect(actual.losses[sample]).toBeCloseTo(loss, 5);
    }
    const expected = await other.exportState();
    for (const [index, { name: tensor, values }] of (await engine.exportState()).entries()) {
      const worst = values.reduce((largest, value, element) => {
        const reference = expected[index]!.values[element]!;
        return Math.max(largest, Math.abs(value - reference) / Math.max(1, Math.abs(reference)));
      }, 0);
      expect(worst, tensor).toBeLessThan(1e-4);
    }
  });

  it('tells the gradients of the last batch: what the optimizer stepped by', async () => {
    const engine = await start({ momentum: 0 });
    expect(await engine.exportGradients()).toEqual([]);
    await engine.trainBatch(ballBatch(count(3), 1));
    await engine.trainBatch(ballBatch(count(3), 2));
    const gradients = await engine.exportGradients();
    const state = await engine.exportState();
    expect(gradients).toHaveLength(20);
    for (const { name, shape, values } of gradients) {
      const velocity = state.find((each) => each.name === `optimizer.momentum.${name}`)!;
      expect(shape).toEqual(velocity.shape);
      expect(values, name).toEqual(velocity.values);
      expect(values.some((value) => value !== 0)).toBe(true);
    }
    await engine.importState(state);
    expect(await engine.exportGradients(), 'of another model').toEqual([]);
  });

  it('shows what the network makes of a sample, and changes nothing', async () => {
    const engine = await start();
    await engine.trainBatch(ballBatch(count(4), 1));
    const before = hashState(await engine.exportState());
    const sample = { ...ballBatch(1, 2), labels: Uint8Array.of(1) };
    const layers = await engine.inspectSample(sample.voxelsHu);
    expect(layers.map(({ name, shape }) => [name, shape.join('x')])).toEqual([
      ['input', '1x16x16x16'],
      ['block1.conv1', '8x16x16x16'],
      ['block1', '8x8x8x8'],
      ['block2.conv1', '16x8x8x8'],
      ['block2', '16x4x4x4'],
      ['block3.conv1', '32x4x4x4'],
      ['block3', '32x2x2x2'],
      ['block4.conv1', '64x2x2x2'],
      ['block4', '64x1x1x1'],
      ['head_linear', '2'],
    ]);
    for (const { name, shape, values } of layers) {
      expect(values.length, name).toBe(shape.reduce((product, side) => product * side, 1));
      if (name.startsWith('block')) expect(Math.min(...values), name).toBeGreaterThanOrEqual(0);
    }
    const { probabilities } = await engine.evaluateBatch(sample);
    const [no, yes] = layers.at(-1)!.values;
    expect(1 / (1 + Math.exp(no! - yes!))).toBeCloseTo(probabilities[0]!, 6);
    // The features times the head's weights, in PyTorch's order, are the logits.
    const tensor = (name: string, state: ModelState) => state.find((each) => each.name === name)!.values;
    const state = await engine.exportState();
    const features = layers.at(-2)!.values;
    const weights = tensor('head_linear.weight', state);
    const logit = features.reduce((sum, value, i) => sum + value * weights[features.length + i]!, 0);
    expect(logit + tensor('head_linear.bias', state)[1]!).toBeCloseTo(yes!, 4);
    expect(hashState(state)).toBe(before);
    await expect(engine.inspectSample(sample.voxelsHu.subarray(1))).rejects.toThrow(InvalidBatchError);
  });

  it.each([1, 2, 3, 4, 5, 6])('trains the last %i parts and keeps the others to the bit', async (depth) => {
    const rules = { fineTuneDepth: depth, optimizer: 'adamw', weightDecay: 0.1 } as const;
    const engine = await start(rules);
    const before = await engine.exportState();
    for (const seed of [1, 2]) await engine.trainBatch(ballBatch(count(3), seed));
    const after = await engine.exportState();
    const isTrained = (name: string) => MODEL_PARTS.slice(-depth).includes(name.split('.')[0]!);
    for (const [index, { name, values }] of after.slice(0, 20).entries()) {
      const isSame = Buffer.compare(bytesOf(values), bytesOf(before[index]!.values)) === 0;
      expect(isSame, name).toBe(!isTrained(name));
    }
    const gradients = await engine.exportGradients();
    expect(gradients.map(({ name }) => name)).toEqual(
      before.slice(0, 20).flatMap(({ name }) => (isTrained(name) ? [name] : [])),
    );
    // PyTorch's batch normalisation goes on measuring, whether its parameters train or not.
    expect(after.find(({ name }) => name === 'tail_batchnorm.num_batches_tracked')!.values[0]).toBe(2);
  });

  const OTHER_RULES: [string, Partial<EngineSettings>][] = [
    ['adam', { optimizer: 'adam', weightDecay: 0.01 }],
    ['adamw', { optimizer: 'adamw', weightDecay: 0.01 }],
    ['weight decay and clipping', { weightDecay: 0.01, largestGradientNorm: 0.5 }],
    ['weighted focal loss', { positiveWeight: 3, focusing: 2 }],
    ['fixed normalisation', { inputNormalisation: 'fixed' }],
    ['signed square root', { inputNormalisation: 'signed-sqrt' }],
    ['signed logarithm', { inputNormalisation: 'signed-log' }],
    ['tanh', { inputNormalisation: 'tanh' }],
    ['the head alone', { fineTuneDepth: 1, weightDecay: 0.01 }],
    ['head and last blocks', { fineTuneDepth: 3, optimizer: 'adamw', weightDecay: 0.01 }],
    ['all but the normalisation', { fineTuneDepth: 5, largestGradientNorm: 0.5 }],
  ];
  it.each(OTHER_RULES)(
    'trains by %s as another engine does, and goes on from its state',
    async (_, rules) => {
      const isOther = (each: EngineCase) => each.title === (title === 'simd' ? 'tfjs' : 'simd');
      const other = await startCase(ENGINE_CASES.find(isOther)!.start, rules);
      let engine = await start(rules);
      for (const seed of isSlow ? [1, 2] : [1, 2, 3]) {
        const expected = await other.trainBatch(ballBatch(count(3), seed), 0.002 / seed);
        const actual = await engine.trainBatch(ballBatch(count(3), seed), 0.002 / seed);
        for (const [sample, loss] of expected.losses.entries())
          expect(actual.losses[sample]).toBeCloseTo(loss, 4);
        const state = await engine.exportState();
        engine = await start({ ...rules, runSeed: 99 });
        await engine.importState(state);
      }
      const expected = await other.exportState();
      for (const [index, { name, values }] of (await engine.exportState()).entries()) {
        const reference = expected[index]!.values;
        const difference = values.map((value, i) => value - reference[i]!);
        const length = (array: Float32Array) => Math.hypot(...array);
        expect(length(difference) / (1e-6 + length(reference)), name).toBeLessThan(5e-3);
      }
    },
  );
});
