import { RandomPurpose, RandomStream } from '@lunastream/random';
import tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stepSgd } from '../optimizers.ts';
import {
  referenceConvolution,
  referenceFilterGradient,
  referenceInputGradient,
  type ReferenceShape,
} from '../testing/reference-convolution.ts';
import { fusedConv3d, MomentumOptimizer, normaliseBatch, softmaxCrossEntropy } from './index.ts';
import { registerSimdBackend } from './register-simd-backend.ts';

beforeAll(async () => {
  tf.enableProdMode();
  await registerSimdBackend({ threads: 2 });
  await tf.setBackend('simd');
});
afterAll(() => tf.removeBackend('simd'));

const volume = (sides: readonly number[]) => sides.reduce((product, side) => product * side, 1);

function numbers(size: number, seed: number): Float32Array {
  const random = new RandomStream({ runSeed: seed, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Float32Array.from({ length: size }, () => random.gaussian());
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 5e-6): void {
  expect(actual.length).toBe(expected.length);
  let scale = 1;
  for (let index = 0; index < expected.length; index++) scale = Math.max(scale, Math.abs(expected[index]!));
  for (let index = 0; index < expected.length; index++) {
    if (!(Math.abs(actual[index]! - expected[index]!) <= tolerance * scale)) {
      expect.fail(`element ${index} is ${actual[index]}, not ${expected[index]}`);
    }
  }
}

/** Slope of `f` at `x` along each element, by central differences in double precision. */
function slopes(x: Float32Array, f: (x: Float64Array) => number): Float64Array {
  const step = 1e-4;
  return Float64Array.from(x, (_, index) => {
    const at = (change: number) => {
      const moved = Float64Array.from(x);
      moved[index]! += change;
      return f(moved);
    };
    return (at(step) - at(-step)) / (2 * step);
  });
}

type Sides = readonly [number, number, number];
const sides = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min, max }));

/** Of any size; strides that leave no input out. */
const convolutions = fc
  .record({
    samples: fc.integer({ min: 1, max: 2 }),
    input: sides(1, 7),
    filter: sides(1, 5),
    strides: sides(1, 3),
    inputs: fc.integer({ min: 1, max: 9 }),
    outputs: fc.integer({ min: 1, max: 11 }),
    pad: fc.constantFrom('same' as const, 'valid' as const),
    relu: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map((drawn) => {
    const axes = ([0, 1, 2] as const).map((axis) => {
      const filter = drawn.filter[axis];
      const stride = Math.min(drawn.strides[axis], filter);
      const input = drawn.pad === 'valid' ? Math.max(drawn.input[axis], filter) : drawn.input[axis];
      if (drawn.pad === 'valid') {
        return { input, stride, output: Math.floor((input - filter) / stride) + 1, padding: 0 };
      }
      const output = Math.ceil(input / stride);
      return { input, stride, output, padding: Math.floor(((output - 1) * stride + filter - input) / 2) };
    });
    const each = (name: 'input' | 'output' | 'padding' | 'stride') =>
      axes.map((axis) => axis[name]) as unknown as Sides;
    const shape: ReferenceShape = {
      ...drawn,
      ...{ input: each('input'), output: each('output'), padding: each('padding'), strides: each('stride') },
    };
    return { ...drawn, shape };
  });

describe('fusedConv3d()', () => {
  it('and its gradients against float64, for any size, stride and padding', () => {
    fc.assert(
      fc.property(convolutions, ({ shape, pad, relu, seed }) => {
        const { samples, input, output, filter, strides, inputs, outputs } = shape;
        const x = numbers(samples * volume(input) * inputs, seed);
        const weights = numbers(volume(filter) * inputs * outputs, seed + 1);
        const bias = numbers(outputs, seed + 2);
        const dy = numbers(samples * volume(output) * outputs, seed + 3);
        const plain = referenceConvolution(shape, x, weights).map((sum, i) => sum + bias[i % outputs]!);
        tf.tidy(() => {
          const tensors = [
            tf.tensor(x, [samples, ...input, inputs]),
            tf.tensor(weights, [...filter, inputs, outputs]),
            tf.tensor1d(bias),
          ];
          const run = (...[a, b, c]: tf.Tensor[]) =>
            fusedConv3d({
              ...{ x: a as tf.Tensor5D, filter: b as tf.Tensor5D, bias: c as tf.Tensor1D, pad },
              strides: [...strides],
              activation: relu ? 'relu' : 'linear',
            });
          const y = run(...tensors).dataSync();
          expectClose(y, relu ? plain.map((value) => Math.max(value, 0)) : plain);
          // The mask of the float32 result: a value next to 0 may be on either side in double precision.
          const before = relu ? dy.map((value, i) => (y[i]! > 0 ? value : 0)) : dy;
          const ofBias = new Float64Array(outputs);
          for (const [i, value] of before.entries()) ofBias[i % outputs]! += value;
          const atOutput = tf.tensor(dy, [samples, ...output, outputs]);
          const [dx, df, db] = tf.grads(run)(tensors, atOutput);
          expectClose(dx!.dataSync(), referenceInputGradient(shape, before, weights));
          expectClose(df!.dataSync(), referenceFilterGradient(shape, x, before));
          expectClose(db!.dataSync(), ofBias);
        });
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('computes no gradient of an input that nobody asks for', () => {
    const runKernel = vi.spyOn(tf.engine(), 'runKernel');
    tf.tidy(() => {
      const x = tf.ones<tf.Rank.R5>([1, 4, 4, 4, 1]);
      const filter = tf.variable(tf.ones<tf.Rank.R5>([3, 3, 3, 1, 8]));
      const bias = tf.variable(tf.zeros<tf.Rank.R1>([8]));
      const { grads } = tf.variableGrads(() => tf.sum<tf.Scalar>(fusedConv3d({ x, filter, bias })));
      expect(Object.keys(grads)).toHaveLength(2);
    });
    const names = runKernel.mock.calls.map(([name]) => name);
    runKernel.mockRestore();
    expect(names).toContain('SimdFusedConv3DParameterGradients');
    expect(names).not.toContain('SimdFusedConv3DInputGradient');
  });

  it('gives the same in steps: strides that leave inputs out, and other backends', async () => {
    const gradients = (strides: number) =>
      tf.tidy(() => {
        const tensors = [
          tf.tensor(numbers(2 * 5 * 6 * 7 * 3, 1), [2, 5, 6, 7, 3]),
          tf.tensor(numbers(8 * 3 * 4, 2), [2, 2, 2, 3, 4]),
          tf.tensor(numbers(4, 3), [4]),
        ];
        const run = (...[x, filter, bias]: tf.Tensor[]) =>
          fusedConv3d({
            ...{ x: x as tf.Tensor5D, filter: filter as tf.Tensor5D, bias: bias as tf.Tensor1D, strides },
          });
        const y = run(...tensors);
        return [y, ...tf.grads(run)(tensors, tf.ones(y.shape))].map((tensor) => tensor.dataSync());
      });
    const simd = [1, 2, 3].map(gradients);
    await tf.setBackend('cpu');
    const cpu = [1, 2, 3].map(gradients);
    await tf.setBackend('simd');
    for (const [index, results] of simd.entries()) {
      for (const [part, values] of results.entries()) expectClose(values, cpu[index]![part]!);
    }
  });
});

/** In double precision: normalised `[rows][channels]`. */
function referenceNormalisation(
  x: ArrayLike<number>,
  { scale, shift, epsilon }: { scale: ArrayLike<number>; shift: ArrayLike<number>; epsilon: number },
): { y: Float64Array; mean: Float64Array; variance: Float64Array } {
  const channels = scale.length;
  const rows = x.length / channels;
  const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < x.length; i++) mean[i % channels]! += x[i]! / rows;
  for (let i = 0; i < x.length; i++) variance[i % channels]! += (x[i]! - mean[i % channels]!) ** 2 / rows;
  const y = Float64Array.from(x, (value, i) => {
    const c = i % channels;
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + epsilon)) * scale[c]! + shift[c]!;
  });
  return { y, mean, variance };
}

describe('normaliseBatch()', () => {
  const cases = fc.record({
    rows: fc.integer({ min: 2, max: 20 }),
    channels: fc.constantFrom(1, 2, 3, 4, 6, 8),
    seed: fc.integer({ min: 0, max: 1000 }),
  });

  it('and its gradients against float64 and differences, for any number of channels', () => {
    fc.assert(
      fc.property(cases, ({ rows, channels, seed }) => {
        const shape = [rows, 2, channels];
        const x = numbers(volume(shape), seed).map((value) => 3 * value - 5);
        const [scale, shift] = [numbers(channels, seed + 1), numbers(channels, seed + 2)];
        const dy = numbers(x.length, seed + 3);
        const epsilon = 0.01;
        const expected = referenceNormalisation(x, { scale, shift, epsilon });
        const weighed = (values: {
          x: ArrayLike<number>;
          scale: ArrayLike<number>;
          shift: ArrayLike<number>;
        }) =>
          referenceNormalisation(values.x, { ...values, epsilon }).y.reduce(
            (sum, y, i) => sum + y * dy[i]!,
            0,
          );
        tf.tidy(() => {
          const tensors = [tf.tensor(x, shape), tf.tensor1d(scale), tf.tensor1d(shift)];
          const run = (...[a, b, c]: tf.Tensor[]) =>
            normaliseBatch(a!, { scale: b as tf.Tensor1D, shift: c as tf.Tensor1D, epsilon });
          const { normalised, mean, variance } = run(...tensors);
          expectClose(normalised.dataSync(), expected.y);
          expectClose(mean.dataSync(), expected.mean);
          expectClose(variance.dataSync(), expected.variance);
          const [dx, dScale, dShift] = tf.grads((...all: tf.Tensor[]) => run(...all).normalised)(
            tensors,
            tf.tensor(dy, shape),
          );
          expectClose(
            dx!.dataSync(),
            slopes(x, (moved) => weighed({ x: moved, scale, shift })),
            2e-5,
          );
          expectClose(
            dScale!.dataSync(),
            slopes(scale, (moved) => weighed({ x, scale: moved, shift })),
            2e-5,
          );
          expectClose(
            dShift!.dataSync(),
            slopes(shift, (moved) => weighed({ x, scale, shift: moved })),
            2e-5,
          );
        });
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it('keeps the digits of HU: a million voxels around -600', () => {
    const voxels = numbers(1 << 20, 4).map((value) => 390 * value - 600);
    const expected = referenceNormalisation(voxels, { scale: [1], shift: [0], epsilon: 1e-5 });
    tf.tidy(() => {
      const parameters = { scale: tf.ones<tf.Rank.R1>([1]), shift: tf.zeros<tf.Rank.R1>([1]), epsilon: 1e-5 };
      const { normalised, mean, variance } = normaliseBatch(tf.tensor(voxels, [1 << 20, 1]), parameters);
      expectClose(normalised.dataSync(), expected.y, 1e-6);
      expectClose(mean.dataSync(), expected.mean, 1e-7);
      expectClose(variance.dataSync(), expected.variance, 1e-7);
    });
  });

  it('lets tfjs normalise by given statistics on the same kernel', () => {
    const x = numbers(4096 * 8, 5);
    const [mean, variance] = [numbers(8, 6), numbers(8, 7).map((value) => value * value)];
    tf.tidy(() => {
      const result = tf.batchNorm(tf.tensor(x, [4096, 8]), tf.tensor1d(mean), tf.tensor1d(variance));
      expectClose(
        result.dataSync(),
        x.map((value, i) => (value - mean[i % 8]!) / Math.sqrt(variance[i % 8]! + 0.001)),
      );
    });
  });
});

describe('softmaxCrossEntropy()', () => {
  const reference = (logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number) =>
    Float64Array.from({ length: logits.length / classes }, (_, row) => {
      const at = Array.from({ length: classes }, (_, c) => row * classes + c);
      const largest = Math.max(...at.map((i) => logits[i]!));
      const logSum = largest + Math.log(at.reduce((sum, i) => sum + Math.exp(logits[i]! - largest), 0));
      return at.reduce((sum, i) => sum - labels[i]! * (logits[i]! - logSum), 0);
    });

  it('and its gradient against float64 and differences', () => {
    const cases = fc.record({
      rows: fc.integer({ min: 1, max: 7 }),
      classes: fc.integer({ min: 2, max: 5 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    fc.assert(
      fc.property(cases, ({ rows, classes, seed }) => {
        const logits = numbers(rows * classes, seed).map((value) => 4 * value);
        const labels = numbers(rows * classes, seed + 1).map(Math.abs);
        const atLoss = numbers(rows, seed + 2);
        const weighed = (values: ArrayLike<number>) =>
          reference(values, labels, classes).reduce((sum, loss, row) => sum + loss * atLoss[row]!, 0);
        tf.tidy(() => {
          const tensor = tf.tensor2d(logits, [rows, classes]);
          const run = (x: tf.Tensor) =>
            softmaxCrossEntropy(tf.tensor2d(labels, [rows, classes]), x as tf.Tensor2D);
          expectClose(run(tensor).dataSync(), reference(logits, labels, classes));
          const gradient = tf.grad(run)(tensor, tf.tensor1d(atLoss));
          expectClose(gradient.dataSync(), slopes(logits, weighed), 2e-5);
        });
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it('loses no loss of 800 nats, and keeps NaN in sight', () => {
    tf.tidy(() => {
      const losses = softmaxCrossEntropy(
        tf.tensor2d([1, 0, 1, 0], [2, 2]),
        tf.tensor2d([-400, 400, Number.NaN, 0], [2, 2]),
      );
      expect([...losses.dataSync()]).toEqual([800, Number.NaN]);
    });
  });
});

describe('MomentumOptimizer', () => {
  it('steps as stepSgd() does, to the bit, and holds no further tensors', () => {
    const values = numbers(40_000, 1);
    const velocities = new Float32Array(values.length);
    const variable = tf.variable(tf.tensor1d(values), true, 'momentum-test');
    const optimizer = new MomentumOptimizer(0.01, 0.9);
    const rule = { learningRate: 0.01, momentum: 0.9, weightDecay: 0, gradientScale: 1 };
    const counts: number[] = [];
    for (const seed of [2, 3, 4]) {
      const gradient = numbers(values.length, seed);
      const tensor = tf.tensor1d(gradient);
      optimizer.applyGradients({ 'momentum-test': tensor });
      tensor.dispose();
      stepSgd(values, velocities, gradient, rule);
      expect(variable.dataSync()).toEqual(values);
      counts.push(tf.memory().numTensors);
    }
    expect(new Set(counts).size).toBe(1);
    optimizer.dispose();
    variable.dispose();
  });

  it('goes on from saved weights', async () => {
    const gradient = tf.tensor1d([1, 2, 3]);
    const run = async (resume: boolean) => {
      const variable = tf.variable(tf.zeros([3]), true, `saved-${resume}`);
      let optimizer = new MomentumOptimizer(0.1, 0.5);
      optimizer.applyGradients([{ name: variable.name, tensor: gradient }]);
      if (resume) {
        const weights = await optimizer.getWeights();
        optimizer = new MomentumOptimizer(0.1, 0.5);
        await optimizer.setWeights(weights);
      }
      optimizer.applyGradients([{ name: variable.name, tensor: gradient }]);
      return [...variable.dataSync()];
    };
    expect(await run(true)).toEqual(await run(false));
  });
});
