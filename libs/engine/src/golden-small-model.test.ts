import { readGolden, SMALL_GOLDEN_SHAPE, smallGoldenVolume } from '@lunastream/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchResult, ModelState, ModelTensor } from './engine.ts';
import { lunaParameters } from './luna-model.ts';
import { ENGINE_CASES, type EngineUnderTest } from './testing/engines.ts';
import { batchOf, withGoldenParameters } from './testing/golden-batch.ts';

interface SmallStep {
  readonly prob_pos: number[];
  readonly loss_each: number[];
  readonly grad_l2: Record<string, number>;
  readonly grad_some: Record<string, number[]>;
  readonly param_some_after: Record<string, number[]>;
  readonly bn_running_mean: number;
  readonly bn_running_var: number;
}

interface SmallModel {
  readonly volumes: number[];
  readonly labels: number[];
  /** Most elements told of a tensor. */
  readonly some: number;
  readonly param_count: number;
  readonly float64: {
    readonly logits_eval_initial: number[][];
    readonly steps: SmallStep[];
    readonly logits_eval_after_3_steps: number[][];
    readonly param_l2_after: Record<string, number>;
  };
}

// PyTorch 2.13 in float64, SGD(0.001, 0.99): tools/golden/reference/make_lunamodel_golden.py.
const golden = readGolden<SmallModel>('lunamodel_small');
const STEPS = [0, 1, 2];
const SETTINGS = { chunkShape: SMALL_GOLDEN_SHAPE, learningRate: 0.001, momentum: 0.99, runSeed: 0 };
const SPECS = lunaParameters(SMALL_GOLDEN_SHAPE);
/** Relative to the larger of 1 and the value. PyTorch's own float32 run is up to 1.3e-6 away. */
const TOLERANCE = 1e-5;

function expectClose(actual: number, expected: number, what: string, scale = Math.abs(expected)): void {
  const error = Math.abs(actual - expected) / Math.max(1, scale);
  expect(error, `${what}: ${actual} instead of ${expected}`).toBeLessThan(TOLERANCE);
}

/** Elements 0, s, 2s, … of C order. */
function someOf(values: Float32Array): Float32Array {
  const step = Math.max(1, Math.ceil(values.length / golden.some));
  return values.filter((_, index) => index % step === 0);
}

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

describe.each(ENGINE_CASES)("LunaModel's small variant on $title against PyTorch", ({ isSkipped, start }) => {
  if (isSkipped) {
    it.skip('gives what the reference gives', () => undefined);
    return;
  }
  const batch = batchOf(golden.volumes.map(smallGoldenVolume), golden.labels);
  const size = batch.voxelsHu.length / batch.count;
  let engine: EngineUnderTest;
  let initialLogits: (readonly number[])[];
  let finalLogits: (readonly number[])[];
  const results: BatchResult[] = [];
  const gradients: (readonly ModelTensor[])[] = [];
  const states: ModelState[] = [];

  const tensor = (tensors: readonly ModelTensor[], name: string) =>
    tensors.find((each) => each.name === name)!.values;
  const logitsOfAll = async () => {
    const logits: (readonly number[])[] = [];
    for (let sample = 0; sample < batch.count; sample++) {
      const chunk = batch.voxelsHu.subarray(sample * size, (sample + 1) * size);
      logits.push(await engine.inferLogits(chunk));
    }
    return logits;
  };

  // One run for all assertions.
  beforeAll(async () => {
    ({ engine } = await start(SETTINGS));
    await withGoldenParameters(engine, SMALL_GOLDEN_SHAPE);
    initialLogits = await logitsOfAll();
    while (results.length < STEPS.length) {
      results.push(await engine.trainBatch(batch));
      gradients.push(await engine.exportGradients());
      states.push(await engine.exportState());
    }
    finalLogits = await logitsOfAll();
  }, 600_000);
  afterAll(() => engine.dispose());

  it('has as many parameters as the reference', () => {
    expect(engine.parameterCount).toBe(golden.param_count);
  });

  it('gives the reference logits in evaluation, before and after training', () => {
    const { logits_eval_initial: before, logits_eval_after_3_steps: after } = golden.float64;
    // The first are of voxels as large as HU are: one logit's terms cancel, and round as those of the others do.
    const scale = Math.max(...before.flat().map(Math.abs));
    for (let sample = 0; sample < batch.count; sample++) {
      for (const side of [0, 1]) {
        const what = `logit ${sample}/${side}`;
        expectClose(initialLogits[sample]![side]!, before[sample]![side]!, `initial ${what}`, scale);
        expectClose(finalLogits[sample]![side]!, after[sample]![side]!, `final ${what}`);
      }
    }
  });

  it.each(STEPS)('gives the reference losses, probabilities and running statistics in step %i', (step) => {
    const expected = golden.float64.steps[step]!;
    for (let sample = 0; sample < batch.count; sample++) {
      expectClose(results[step]!.losses[sample]!, expected.loss_each[sample]!, `loss ${sample}`);
      expectClose(results[step]!.probabilities[sample]!, expected.prob_pos[sample]!, `P(nodule) ${sample}`);
    }
    const statistics = (name: string) => tensor(states[step]!, `tail_batchnorm.${name}`)[0]!;
    expectClose(statistics('running_mean'), expected.bn_running_mean, 'running mean');
    expectClose(statistics('running_var'), expected.bn_running_var, 'running variance');
  });

  it.each(STEPS)('gives the reference gradient of every parameter in step %i', (step) => {
    const { grad_l2: norms, grad_some: some } = golden.float64.steps[step]!;
    for (const { name, size } of SPECS) {
      const actual = tensor(gradients[step]!, name);
      expectClose(norm(actual), norms[name]!, `gradient norm of ${name}`);
      // Small gradients too: an element's error against the tensor's mean size.
      const scale = norms[name]! / Math.sqrt(size);
      someOf(actual).forEach((value, index) => {
        const error = Math.abs(value - some[name]![index]!) / scale;
        expect(error, `gradient ${index} of ${name}`).toBeLessThan(1e-4);
      });
    }
  });

  it.each(STEPS)('takes every parameter where the reference takes it in step %i', (step) => {
    for (const { name } of SPECS) {
      const some = someOf(tensor(states[step]!, name));
      const expected = golden.float64.steps[step]!.param_some_after[name]!;
      expect(some.length, name).toBe(expected.length);
      some.forEach((value, index) =>
        expect(Math.abs(value - expected[index]!), `${name}[${index}]`).toBeLessThan(1e-6),
      );
    }
  });

  it('ends with the reference norm of every parameter', () => {
    for (const { name } of SPECS) {
      expectClose(norm(tensor(states[2]!, name)), golden.float64.param_l2_after[name]!, `norm of ${name}`);
    }
  });
});
