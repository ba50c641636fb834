import { goldenVolume, GOLDEN_SHAPE, readGolden } from '@lunastream/testing';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CorruptCheckpointError, ModelStateMismatchError } from '../errors.ts';
import type { ModelTensor } from '../engine.ts';
import { lunaParameters, type ChunkShape } from '../luna-model.ts';
import { encodeSafetensors } from '../safetensors.ts';
import { SimdEngine } from '../simd/simd-engine.ts';
import { goldenParameter } from '../testing/golden-parameter.ts';
import { encodeCheckpoint } from '../checkpoint.ts';
import { modelTensors, readWeights, withNewHead, withWeights } from './import-weights.ts';
import { toLayersModel } from './layers-model.ts';

const GOLDEN = readGolden<{
  readonly float64: { readonly 'logits_eval_initial(running_mean=0,var=1)': number[][] };
}>('lunamodel');

const SMALL: ChunkShape = { depth: 16, height: 32, width: 16 };
const settingsOf = (chunkShape: ChunkShape) => ({
  engine: 'simd',
  chunkShape,
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 3,
});

/** A safetensors file as PyTorch writes a state dict: the counter of batches is a 64-bit integer. */
function pytorchFile(
  tensors: readonly { name: string; shape: readonly number[]; values: Float32Array }[],
): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const blocks: Uint8Array[] = [];
  let end = 0;
  const add = (name: string, dtype: string, shape: readonly number[], bytes: Uint8Array) => {
    entries[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    blocks.push(bytes);
  };
  for (const { name, shape, values } of tensors) {
    add(name, 'F32', shape, new Uint8Array(values.slice().buffer));
  }
  add('tail_batchnorm.num_batches_tracked', 'I64', [], new Uint8Array(BigInt64Array.of(4_500_000n).buffer));
  const header = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...blocks]);
}

describe('weights that were trained in PyTorch', () => {
  const specs = lunaParameters(GOLDEN_SHAPE);
  const golden = [
    ...specs.map((spec, ordinal) => ({ ...spec, values: goldenParameter(spec, ordinal) })),
    { name: 'tail_batchnorm.running_mean', shape: [1], values: Float32Array.of(0) },
    { name: 'tail_batchnorm.running_var', shape: [1], values: Float32Array.of(1) },
  ];
  let engine: SimdEngine;
  beforeAll(async () => void ({ engine } = await SimdEngine.start(settingsOf(GOLDEN_SHAPE))));
  afterAll(() => engine.dispose());

  it('leave their head to a fresh one, for another chunk shape too', async () => {
    const other = await SimdEngine.start(settingsOf(SMALL));
    const fresh = await other.engine.exportState();
    const weights = readWeights(pytorchFile(golden));
    expect(() => withWeights(fresh, weights)).toThrow(ModelStateMismatchError);
    await other.engine.importState(withWeights(fresh, withNewHead(fresh, weights)));
    const state = await other.engine.exportState();
    other.engine.dispose();
    const valuesIn = (tensors: readonly ModelTensor[], name: string) =>
      tensors.find((tensor) => tensor.name === name)!.values;
    for (const { name, values } of golden) {
      expect(valuesIn(state, name), name).toEqual(
        name.startsWith('head_linear') ? valuesIn(fresh, name) : values,
      );
    }
  });

  it('come out of a checkpoint within an epoch alone', async () => {
    const state = await engine.exportState();
    const file = encodeCheckpoint({
      state,
      metadata: { epoch: 0, samplesSeen: 1, runSeed: 3, settings: {} },
      progress: { probabilities: Float32Array.of(0.5), losses: Float32Array.of(0.7) },
    });
    expect(readWeights(file)).toEqual(modelTensors(state));
  });

  it('give PyTorch’s logits within 1e-4 of them', async () => {
    const weights = readWeights(pytorchFile(golden));
    await engine.importState(withWeights(await engine.exportState(), weights));
    GOLDEN.float64['logits_eval_initial(running_mean=0,var=1)'].forEach((expected, volume) => {
      const logits = engine.inferLogits(goldenVolume(volume));
      for (const side of [0, 1]) {
        const error = Math.abs(logits[side]! - expected[side]!) / Math.max(1, Math.abs(expected[side]!));
        expect(error, `logit ${volume}/${side}`).toBeLessThan(1e-4);
      }
    });
    const tracked = (await engine.exportState()).find(({ name }) => name.endsWith('num_batches_tracked'));
    expect([...tracked!.values]).toEqual([4_500_000]);
  });

  it('are named where they do not fit, and nothing has changed', async () => {
    const state = await engine.exportState();
    const weights = readWeights(pytorchFile(golden));
    const refuse = (changed: typeof weights, rule: string) => {
      expect(() => withWeights(state, changed)).toThrow(ModelStateMismatchError);
      expect(() => withWeights(state, changed)).toThrow(rule);
    };
    refuse(
      weights.slice(1),
      'Cannot load model tensor tail_batchnorm.weight: the weights must hold it with shape [1]',
    );
    refuse(
      [...weights, { name: 'head2', shape: [], values: new Float32Array(1) }],
      'this network has no such tensor',
    );
    refuse([...weights, weights[0]!], 'weights hold each tensor once, got it twice');
    const other = weights.map((tensor) =>
      tensor.name === 'head_linear.weight' ? { ...tensor, shape: [2, 64] } : tensor,
    );
    refuse(
      other,
      'head_linear.weight: its shape must be [2, 1152] (does the chunk shape differ?), got [2, 64]',
    );
  });

  it('lose the prefix of DataParallel; our own checkpoints lose their optimizer', async () => {
    const tensors = modelTensors(await engine.exportState());
    const wrapped = tensors.map((tensor) => ({ ...tensor, name: `module.${tensor.name}` }));
    expect(readWeights(encodeSafetensors({ tensors: wrapped, metadata: {} }))).toEqual(tensors);
    const whole = encodeSafetensors({ tensors: await engine.exportState(), metadata: {} });
    expect(readWeights(whole)).toEqual(tensors);
  });
});

describe('types of a safetensors file', () => {
  const fileOf = (dtype: string, bytes: Uint8Array, count: number) => {
    const header = Buffer.from(
      JSON.stringify({ w: { dtype, shape: [count], data_offsets: [0, bytes.length] } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([length, header, bytes]);
  };
  const VALUES = [1, -2.5, 0.333251953125, 65504, 2 ** -24, -0, Infinity];

  it.each([
    ['F64', new Uint8Array(Float64Array.from(VALUES).buffer)],
    ['F32', new Uint8Array(Float32Array.from(VALUES).buffer)],
    // IEEE 754 binary16 of the values, as numpy gives them.
    ['F16', new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x3555, 0x7bff, 0x0001, 0x8000, 0x7c00).buffer)],
  ])('%s is read as float32', (dtype, bytes) => {
    expect([...readWeights(fileOf(dtype, bytes, VALUES.length))[0]!.values]).toEqual(VALUES);
  });

  it('BF16 is the upper half of a float32, I32 and I64 are whole numbers', () => {
    const bf16 = new Uint8Array(Uint16Array.of(0x3f80, 0xc020, 0x7f80).buffer);
    expect([...readWeights(fileOf('BF16', bf16, 3))[0]!.values]).toEqual([1, -2.5, Infinity]);
    expect([
      ...readWeights(fileOf('I32', new Uint8Array(Int32Array.of(-7, 8).buffer), 2))[0]!.values,
    ]).toEqual([-7, 8]);
    expect([
      ...readWeights(fileOf('I64', new Uint8Array(BigInt64Array.of(-7n, 8n).buffer), 2))[0]!.values,
    ]).toEqual([-7, 8]);
  });

  it('others are refused by name', () => {
    expect(() => readWeights(fileOf('F8_E4M3', new Uint8Array(2), 2))).toThrow(CorruptCheckpointError);
    expect(() => readWeights(fileOf('F8_E4M3', new Uint8Array(2), 2))).toThrow('"F8_E4M3"');
  });
});

describe('toLayersModel()', () => {
  it('is a model that tfjs loads and that says what the engine says, within 1e-4', async () => {
    const { engine } = await SimdEngine.start(settingsOf(SMALL));
    try {
      const count = 4;
      const voxels = SMALL.depth * SMALL.height * SMALL.width;
      // Any voxels do, but all different; two training steps give the normalisation statistics of its own.
      const voxelsHu = Float32Array.from(
        { length: count * voxels },
        (_, voxel) => ((voxel * 2654435761) % 2000) - 1000,
      );
      const batch = { voxelsHu, labels: Float32Array.of(0, 1, 1, 0), count };
      await engine.trainBatch(batch);
      await engine.trainBatch(batch);
      const { probabilities } = await engine.evaluateBatch(batch);

      const { modelJson, weights } = toLayersModel(await engine.exportState(), SMALL);
      const json = JSON.parse(modelJson) as {
        modelTopology: object;
        weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
      };
      await tf.setBackend('cpu');
      const model = await tf.loadLayersModel(
        tf.io.fromMemory({
          modelTopology: json.modelTopology,
          weightSpecs: json.weightsManifest[0]!.weights,
          weightData: weights.buffer,
        }),
      );
      const input = tf.tensor(voxelsHu, [count, SMALL.depth, SMALL.height, SMALL.width, 1]);
      const output = (model.predict(input) as tf.Tensor).arraySync() as number[][];
      output.forEach(([negative, positive], sample) => {
        expect(Math.abs(positive! - probabilities[sample]!)).toBeLessThan(1e-4);
        expect(negative! + positive!).toBeCloseTo(1, 5);
      });
      // Not all alike: a model that says one thing would pass the comparison for the wrong reason.
      expect(Math.max(...probabilities) - Math.min(...probabilities)).toBeGreaterThan(1e-3);
      tf.dispose([input]);
      model.dispose();
    } finally {
      engine.dispose();
    }
  });

  it('refuses a state of another chunk shape', async () => {
    const { engine } = await SimdEngine.start(settingsOf(SMALL));
    const state = await engine.exportState();
    engine.dispose();
    expect(() => toLayersModel(state, { depth: 32, height: 48, width: 48 })).toThrow(
      'Cannot load model tensor head_linear.weight: the network needs 2304 values of it, got 256',
    );
  });
});
