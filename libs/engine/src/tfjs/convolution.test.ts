import { RandomPurpose, RandomStream } from '@lunastream/random';
import tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { convolve, kernelGradient, type DepthTaps } from './convolution.ts';
import { gather, kernelLayout, scatter } from './kernel-layout.ts';
import { startBackend } from './load-tfjs.ts';

type Shape = readonly [depth: number, height: number, width: number];

const random = new RandomStream({
  runSeed: 5,
  epoch: 0,
  ordinal: 0,
  purpose: RandomPurpose.modelInitialisation,
});
const gaussians = (count: number) => Float32Array.from({ length: count }, () => random.gaussian());

/**
 * The definition of Conv3d with zero padding 1, as one loop over everything that touches: calls `visit` with the
 * indices of output element `[d, h, w, out]`, input element `[d, h, w, in]` and kernel element `[out, in, kd, kh, kw]`.
 */
function visitProducts(
  [depth, height, width]: Shape,
  [inputs, outputs]: readonly [number, number],
  visit: (output: number, input: number, kernel: number) => void,
): void {
  const inside = (at: number, side: number) => at >= 0 && at < side;
  for (let position = 0; position < depth * height * width; position++) {
    const [d, h, w] = [
      Math.floor(position / (height * width)),
      Math.floor(position / width) % height,
      position % width,
    ];
    for (let tap = 0; tap < 27; tap++) {
      const [z, y, x] = [d + Math.floor(tap / 9) - 1, h + (Math.floor(tap / 3) % 3) - 1, w + (tap % 3) - 1];
      if (!inside(z, depth) || !inside(y, height) || !inside(x, width)) continue;
      const neighbour = (z * height + y) * width + x;
      for (let out = 0; out < outputs; out++) {
        for (let into = 0; into < inputs; into++) {
          visit(position * outputs + out, neighbour * inputs + into, (out * inputs + into) * 27 + tap);
        }
      }
    }
  }
}

function taps(kernel: Float32Array, inputs: number, outputs: number): DepthTaps {
  const whole = tf.tensor5d(kernel, [3, 3, 3, inputs, outputs]);
  return tf.unstack(whole) as unknown as DepthTaps;
}

function expectAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!)));
  }
  // float32 sums of at most 27 x 64 unit Gaussian products.
  expect(worst).toBeLessThan(2e-5);
}

const CASES: [Shape, readonly [number, number]][] = [
  [
    [4, 5, 6],
    [1, 8],
  ],
  [
    [5, 4, 3],
    [3, 2],
  ],
  [
    [1, 1, 1],
    [4, 4],
  ],
  [
    [1, 2, 7],
    [2, 5],
  ],
  [
    [6, 3, 3],
    [8, 16],
  ],
];

describe.each(['wasm', 'cpu'] as const)('on backend %s', (backend) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  describe.each(CASES)('for volume %j and channels %j', (shape, channels) => {
    const [inputs, outputs] = channels;
    const voxels = shape[0] * shape[1] * shape[2];
    const x = gaussians(voxels * inputs);
    const kernel = gaussians(27 * inputs * outputs);
    const bias = gaussians(outputs);
    const outputGradient = gaussians(voxels * outputs);
    const layout = kernelLayout(inputs, outputs);
    const tensor = (values: Float32Array, depth: number) => tf.tensor4d(values, [...shape, depth]);
    const compute = (result: () => tf.Tensor) => {
      const before = tf.memory().numTensors;
      const values = tf.tidy(() => result().dataSync());
      expect(tf.memory().numTensors).toBe(before);
      return values;
    };

    it('convolve() is the sum by definition', () => {
      const expected = Float64Array.from({ length: voxels * outputs }, (_, i) => bias[i % outputs]!);
      visitProducts(shape, channels, (to, from, by) => (expected[to]! += x[from]! * kernel[by]!));
      const actual = compute(() =>
        convolve(tensor(x, inputs), taps(gather(kernel, layout.forward), inputs, outputs), tf.tensor1d(bias)),
      );
      expectAllClose(actual, expected);
    });

    it('convolve() with mirrored kernels is the input gradient', () => {
      const expected = new Float64Array(voxels * inputs);
      visitProducts(
        shape,
        channels,
        (to, from, by) => (expected[from]! += outputGradient[to]! * kernel[by]!),
      );
      const actual = compute(() =>
        convolve(tensor(outputGradient, outputs), taps(gather(kernel, layout.mirrored), outputs, inputs)),
      );
      expectAllClose(actual, expected);
    });

    it('kernelGradient() is the sum over all voxels', () => {
      const expected = new Float64Array(kernel.length);
      visitProducts(shape, channels, (to, from, by) => (expected[by]! += outputGradient[to]! * x[from]!));
      const actual = compute(() => kernelGradient(tensor(x, inputs), tensor(outputGradient, outputs)));
      expectAllClose(scatter(Float32Array.from(actual), layout.forward), expected);
    });
  });
});
