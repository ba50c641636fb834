import tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { biasGradient, maxPool, maxPoolGradient, reluGradient } from './layers.ts';
import { startBackend } from './load-tfjs.ts';

describe.each(['wasm', 'cpu'] as const)('on backend %s', (backend) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  // Distinct values, and sides 2, 3 and 5: two of them lose their last plane.
  const shape: [number, number, number, number] = [2, 3, 5, 2];
  const size = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length: size }, (_, i) => ((i * 37) % 61) - 30);
  const at = (d: number, h: number, w: number, c: number) => ((d * 3 + h) * 5 + w) * 2 + c;
  const boxes = [0, 1].flatMap((column) =>
    [0, 1].map((channel) =>
      [0, 1].flatMap((d) => [0, 1].flatMap((h) => [0, 1].map((w) => at(d, h, 2 * column + w, channel)))),
    ),
  );
  const largest = boxes.map((box) => box.reduce((best, i) => (values[i]! > values[best]! ? i : best)));

  it('maxPool() takes the largest of each box and drops odd planes', () => {
    const pooled = tf.tidy(() => maxPool(tf.tensor4d(values, shape)).dataSync());
    expect([...pooled]).toEqual(largest.map((i) => values[i]));
  });

  it('maxPool() of zeros is exactly zero', () => {
    const pooled = tf.tidy(() => maxPool(tf.zeros([2, 2, 2, 1])).dataSync());
    expect([...pooled]).toEqual([0]);
  });

  it('maxPoolGradient() sends each gradient to the largest, zero elsewhere', () => {
    const expected = Array<number>(size).fill(0);
    for (const [box, i] of largest.entries()) expected[i] = box + 1;
    const actual = tf.tidy(() => {
      const input = tf.tensor4d(
        values.map((value) => value + 31),
        shape,
      );
      return maxPoolGradient(input, maxPool(input), tf.tensor4d([1, 2, 3, 4], [1, 1, 2, 2])).dataSync();
    });
    expect([...actual]).toEqual(expected);
  });

  it('reluGradient() passes gradients of positive outputs only', () => {
    const actual = tf.tidy(() =>
      reluGradient(
        tf.tensor4d([0, 2, 0, 1e-30], [1, 1, 2, 2]),
        tf.tensor4d([5, -6, 7, 8], [1, 1, 2, 2]),
      ).dataSync(),
    );
    expect([...actual].map((value) => value + 0)).toEqual([0, -6, 0, 8]);
  });

  it('biasGradient() sums each channel over the voxels', () => {
    const actual = tf.tidy(() => biasGradient(tf.tensor4d([1, 10, 2, 20, 3, 30], [3, 1, 1, 2])).dataSync());
    expect([...actual]).toEqual([6, 60]);
  });
});
