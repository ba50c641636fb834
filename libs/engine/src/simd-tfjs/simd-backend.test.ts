import { RandomPurpose, RandomStream } from '@lunastream/random';
import tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineMemoryError } from '../errors.ts';
import {
  referenceConvolution,
  referenceFilterGradient,
  referenceInputGradient,
  referenceMaxPool,
  type ReferenceShape,
  type Sides,
} from '../testing/reference-convolution.ts';
import { registerSimdBackend } from './register-simd-backend.ts';
import type { SimdBackend } from './simd-backend.ts';

let backend: SimdBackend;
beforeAll(async () => {
  tf.enableProdMode();
  backend = await registerSimdBackend({ threads: 2 });
  await tf.setBackend('simd');
});
afterAll(() => tf.removeBackend('simd'));

/** Normal numbers; about a third are zero where `sparse`, as gradients behind a ReLU. */
function numbers(size: number, seed: number, sparse = false): Float32Array {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Float32Array.from({ length: size }, () => {
    const value = random.gaussian();
    return sparse && value < -0.4 ? 0 : value;
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  for (let index = 0; index < expected.length; index++) {
    if (Math.abs(actual[index]! - expected[index]!) > 5e-6 * scale) {
      expect.fail(`element ${index} is ${actual[index]}, not ${expected[index]}`);
    }
  }
}

const sides = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min, max }));

/** A convolution or pool, with the padding that tfjs's rule gives. */
const cases = fc
  .record({
    samples: fc.integer({ min: 1, max: 2 }),
    input: sides(1, 7),
    filter: sides(1, 5),
    strides: sides(1, 3),
    inputs: fc.integer({ min: 1, max: 11 }),
    outputs: fc.integer({ min: 1, max: 11 }),
    pad: fc.constantFrom('same' as const, 'valid' as const),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map((drawn) => {
    const axes = [0, 1, 2].map((axis) => {
      const [stride, filter] = [drawn.strides[axis]!, drawn.filter[axis]!];
      const input = drawn.pad === 'valid' ? Math.max(drawn.input[axis]!, filter) : drawn.input[axis]!;
      if (drawn.pad === 'valid')
        return { input, output: Math.floor((input - filter) / stride) + 1, padding: 0 };
      const output = Math.ceil(input / stride);
      // Negative where strides leave inputs out: tfjs then skips half of them in front, where TensorFlow skips none.
      const needed = (output - 1) * stride + filter - input;
      return { input, output, padding: Math.floor(needed / 2) };
    });
    const each = (name: 'input' | 'output' | 'padding') => axes.map((axis) => axis[name]) as unknown as Sides;
    return { ...drawn, input: each('input'), output: each('output'), padding: each('padding') };
  });
type Case = ReferenceShape & { readonly pad: 'same' | 'valid'; readonly seed: number };

const volume = (of: Sides) => of[0] * of[1] * of[2];
type FiveSides = [number, number, number, number, number];
const tensor = (values: Float32Array, shape: readonly number[]) =>
  tf.tensor5d(values, [...shape] as FiveSides);
const triple = (of: Sides): [number, number, number] => [...of];

describe('kernels of the simd backend against float64', () => {
  it('Conv3D and its gradients, for any size, stride and padding', () => {
    fc.assert(
      fc.property(cases, (drawn: Case) => {
        const { samples, input, output, filter, strides, inputs, outputs, pad, seed } = drawn;
        const x = numbers(samples * volume(input) * inputs, seed);
        const weights = numbers(volume(filter) * inputs * outputs, seed + 1);
        const dy = numbers(samples * volume(output) * outputs, seed + 2, true);
        tf.tidy(() => {
          const xTensor = tensor(x, [samples, ...input, inputs]);
          const filterTensor = tensor(weights, [...filter, inputs, outputs]);
          const dyTensor = tensor(dy, [samples, ...output, outputs]);
          const convolve = (a: tf.Tensor5D, b: tf.Tensor5D) => tf.conv3d(a, b, triple(strides), pad);
          const y = convolve(xTensor, filterTensor);
          expect(y.shape).toEqual(dyTensor.shape);
          expectClose(y.dataSync(), referenceConvolution(drawn, x, weights));
          const [dx, df] = tf.grads((a, b) => convolve(a as tf.Tensor5D, b as tf.Tensor5D))(
            [xTensor, filterTensor],
            dyTensor,
          );
          expectClose(dx!.dataSync(), referenceInputGradient(drawn, dy, weights));
          expectClose(df!.dataSync(), referenceFilterGradient(drawn, x, dy));
        });
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('MaxPool3D and its gradient, overlapping windows too', () => {
    fc.assert(
      fc.property(cases, (drawn: Case) => {
        const { samples, input, output, filter, strides, inputs, pad, seed } = drawn;
        // Few different values: ties.
        const x = numbers(samples * volume(input) * inputs, seed).map((value) => Math.round(value));
        const dy = numbers(samples * volume(output) * inputs, seed + 2);
        const { maxima, places } = referenceMaxPool(drawn, x);
        const gradient = new Float64Array(x.length);
        for (const [index, place] of places.entries()) gradient[place]! += dy[index]!;
        tf.tidy(() => {
          const xTensor = tensor(x, [samples, ...input, inputs]);
          const pool = (a: tf.Tensor5D) => tf.maxPool3d(a, triple(filter), triple(strides), pad);
          expectClose(pool(xTensor).dataSync(), maxima);
          const dx = tf.grad((a) => pool(a as tf.Tensor5D))(
            xTensor,
            tensor(dy, [samples, ...output, inputs]),
          );
          // The CPU backend, which does channels that fill no vector, gives ties to the last.
          if (inputs % 4 === 0) expectClose(dx.dataSync(), gradient);
        });
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('sums, products, ReLU and means, with operands that repeat', () => {
    const shape = [2, 9, 8, 7, 12] as const;
    const [a, b] = [numbers(12_096, 1), numbers(12_096, 2)];
    const channel = numbers(12, 3);
    const perChannel = (combine: (x: number, y: number) => number) =>
      a.map((x, i) => combine(x, channel[i % 12]!));
    tf.tidy(() => {
      const [ta, tb, tc] = [tensor(a, shape), tensor(b, shape), tf.tensor(channel, [1, 1, 1, 1, 12])];
      expectClose(
        tf.add(ta, tb).dataSync(),
        a.map((x, i) => x + b[i]!),
      );
      expectClose(
        tf.mul(ta, tb).dataSync(),
        a.map((x, i) => x * b[i]!),
      );
      expectClose(
        tf.sub(ta, tb).dataSync(),
        a.map((x, i) => x - b[i]!),
      );
      expectClose(
        tf.add(ta, tc).dataSync(),
        perChannel((x, y) => x + y),
      );
      expectClose(
        tf.mul(tf.reshape(tc, [12]), ta).dataSync(),
        perChannel((x, y) => x * y),
      );
      expectClose(
        tf.sub(ta, tc).dataSync(),
        perChannel((x, y) => x - y),
      );
      expectClose(
        tf.sub(tc, ta).dataSync(),
        perChannel((x, y) => y - x),
      );
      expectClose(
        tf.mul(ta, 3).dataSync(),
        a.map((x) => 3 * x),
      );
      expectClose(
        tf.relu(ta).dataSync(),
        a.map((x) => Math.max(x, 0)),
      );
      expectClose(
        tf.step(ta).dataSync(),
        a.map((x) => Number(x > 0)),
      );
      expectClose(
        tf.square(ta).dataSync(),
        a.map((x) => x * x),
      );
      const sums = new Float64Array(12);
      for (const [index, x] of a.entries()) sums[index % 12]! += x;
      expectClose(tf.sum(ta, [0, 1, 2, 3]).dataSync(), sums);
      expect(tf.mean(ta, [0, 1, 2, 3], true).shape).toEqual([1, 1, 1, 1, 12]);
      expectClose(
        tf.mean(ta, [0, 1, 2, 3]).dataSync(),
        sums.map((sum) => sum / 1008),
      );
      expectClose([tf.sum(ta).dataSync()[0]!], [a.reduce((sum, x) => sum + x, 0)]);
    });
  });

  it('keep NaN in sight', () => {
    const values = new Float32Array(8192).fill(Number.NaN);
    tf.tidy(() => {
      for (const result of [tf.relu(values), tf.step(values), tf.mul(values, 0)]) {
        expect(result.dataSync().every(Number.isNaN)).toBe(true);
      }
    });
  });
});

/** Convolutions, a pool, batch normalisation and a dense head on chunks of 4 x 5 x 6. */
function smallModel(): tf.Sequential {
  const initializer = (seed: number) => tf.initializers.heNormal({ seed });
  const model = tf.sequential();
  const convolution = { kernelSize: 3, padding: 'same' as const, activation: 'relu' as const };
  const inputShape = [4, 5, 6, 1];
  model.add(tf.layers.conv3d({ ...convolution, inputShape, filters: 4, kernelInitializer: initializer(1) }));
  model.add(tf.layers.conv3d({ ...convolution, filters: 6, kernelInitializer: initializer(2) }));
  model.add(tf.layers.maxPooling3d({ poolSize: 2, strides: 2, dataFormat: 'channelsLast' }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.dense({ units: 2, kernelInitializer: initializer(3), activation: 'softmax' }));
  return model;
}

/** Loss of each step on batches that depend on the step's number only, and tensors after each. */
async function trainSmallModel(
  name: string,
  steps: number,
): Promise<{ losses: number[]; tensors: number[] }> {
  await tf.setBackend(name);
  const model = smallModel();
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' });
  const losses: number[] = [];
  const tensors: number[] = [];
  for (let step = 0; step < steps; step++) {
    const labels = [0, 1, 0, 1];
    const noise = numbers(4 * 120, step).map(
      (value, index) => value + 0.8 * labels[Math.floor(index / 120)]!,
    );
    const x = tf.tensor(noise, [4, 4, 5, 6, 1]);
    const y = tf.oneHot(labels, 2);
    losses.push(Number(await model.trainOnBatch(x, y)));
    tf.dispose([x, y]);
    tensors.push(tf.memory().numTensors);
  }
  model.dispose();
  return { losses, tensors };
}

const lastMean = (values: readonly number[]) => values.slice(-20).reduce((sum, value) => sum + value, 0) / 20;

describe('a tfjs model on the simd backend', () => {
  it('reaches the loss of the plain CPU backend in 200 steps', async () => {
    const simd = await trainSmallModel('simd', 200);
    const cpu = await trainSmallModel('cpu', 200);
    await tf.setBackend('simd');
    expect(lastMean(cpu.losses)).toBeLessThan(0.5 * cpu.losses[0]!);
    expect(Math.abs(lastMean(simd.losses) / lastMean(cpu.losses) - 1)).toBeLessThan(0.01);
  });

  it('holds as many tensors and as much memory after each step as after the one before', async () => {
    const outside = { tensors: tf.memory().numTensors, bytes: backend.usedBytes };
    const { tensors } = await trainSmallModel('simd', 5);
    expect(new Set(tensors.slice(1)).size).toBe(1);
    expect(backend.usedBytes).toBe(outside.bytes);
  });

  it('gives equal bits on 1 and 3 threads', async () => {
    const { losses } = await trainSmallModel('simd', 5);
    for (const threads of [1, 3]) {
      tf.removeBackend('simd');
      backend = await registerSimdBackend({ threads });
      expect((await trainSmallModel('simd', 5)).losses).toEqual(losses);
    }
  });

  it('keeps slices and data that were read when their tensor is gone', () => {
    const x = tf.relu(tf.ones([1, 4, 4, 4, 128]));
    const slice = tf.slice(x, [0, 0, 0, 0, 0], [1, 1, 1, 1, 3]);
    const data = x.dataSync();
    x.dispose();
    const other = tf.relu(tf.fill([1, 4, 4, 4, 128], 7));
    expect([...slice.dataSync()]).toEqual([1, 1, 1]);
    expect(data[0]).toBe(1);
    tf.dispose([slice, other]);
  });

  it('says when a model is too large for memory', async () => {
    tf.removeBackend('simd');
    backend = await registerSimdBackend({ threads: 1, largestBytes: 2 ** 22 });
    await tf.setBackend('simd');
    tf.tidy(() => {
      const run = () =>
        tf.conv3d(tf.zeros<tf.Rank.R5>([1, 64, 64, 64, 4]), tf.zeros<tf.Rank.R5>([3, 3, 3, 4, 8]), 1, 'same');
      expect(run).toThrow(EngineMemoryError);
      expect(run).toThrow(/Cannot allocate \d+\.\d MiB for the model/);
    });
    expect(tf.relu(tf.fill([8192], -1)).dataSync()[8191]).toBe(0);
  });
});
