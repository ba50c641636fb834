import tf from '@tensorflow/tfjs';
import type { Tensor, Tensor5D } from '@tensorflow/tfjs';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WEBGPU_FAULT } from '../testing/webgpu.ts';
import { loadWebgpu, useWebgpu } from './load-webgpu.ts';

const random = new RandomStream({ runSeed: 3, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
const gaussians = (shape: readonly number[]) =>
  Float32Array.from({ length: shape.reduce((product, side) => product * side, 1) }, () => random.gaussian());

type Shape5 = [number, number, number, number, number];
interface Case {
  readonly strides: number;
  readonly pad: 'same' | 'valid';
  /** Kernels of ours that the forward and backward pass must have run. */
  readonly own: readonly string[];
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.skipIf(WEBGPU_FAULT !== undefined)(
  `tfjs on the webgpu backend${WEBGPU_FAULT === undefined ? '' : ` [skipped: ${WEBGPU_FAULT}]`}`,
  () => {
    const EVERY = ['conv3d', 'conv3d-filter', 'max-pool', 'max-pool-gradient', 'part-sum'];
    it.each<[string, Case]>([
      ['with a border', { strides: 1, pad: 'same', own: EVERY }],
      ['without a border', { strides: 1, pad: 'valid', own: EVERY }],
      ['with strides', { strides: 2, pad: 'same', own: EVERY }],
    ])(
      'differentiates convolution and pool %s with our kernels, as its CPU backend does',
      async (_, { strides, pad, own }) => {
        const shapes: [Shape5, Shape5] = [
          [2, 6, 6, 8, 4],
          [3, 3, 3, 4, 8],
        ];
        const [values, filters] = shapes.map(gaussians);
        const differentiate = async () => {
          const x = tf.tensor5d(values!, shapes[0]);
          const filter = tf.tensor5d(filters!, shapes[1]);
          const run = (a: Tensor, b: Tensor) => {
            const y = tf.conv3d(a as Tensor5D, b as Tensor5D, strides, pad);
            return tf.sum(tf.square(tf.maxPool3d(y, 2, 2, 'valid')));
          };
          const results = [run(x, filter), ...tf.grads(run)([x, filter])];
          return Promise.all(results.map((each) => each.data<'float32'>()));
        };
        await tf.setBackend('cpu');
        const expected = await differentiate();
        const { backend, assertSound } = await loadWebgpu();
        const programs = vi.spyOn(backend, 'runWebGPUProgram');
        useWebgpu();
        const actual = await differentiate();
        assertSound();
        const keys = programs.mock.calls.map(([program]) => program.shaderKey);
        for (const name of own) {
          expect(
            keys.some((key) => new RegExp(`^lunastream-${name}(-[^a-z]|:)`).test(key)),
            name,
          ).toBe(true);
        }
        for (const [index, array] of actual.entries()) {
          const size = Math.hypot(...expected[index]!) / Math.sqrt(array.length);
          const worst = array.reduce(
            (most, value, i) => Math.max(most, Math.abs(value - expected[index]![i]!)),
            0,
          );
          expect(worst / size).toBeLessThan(1e-4);
        }
      },
    );
  },
);
