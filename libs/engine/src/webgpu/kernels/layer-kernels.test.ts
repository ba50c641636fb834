import { describe, expect, it } from 'vitest';
import { sampleLoss } from '../../loss.ts';
import { adamStep, stepAdam, stepSgd } from '../../optimizers.ts';
import { kernelResult } from '../../testing/run-kernel.ts';
import { WEBGPU_FAULT } from '../../testing/webgpu.ts';
import type { GpuKernel } from './gpu-kernel.ts';
import {
  featureGradientKernel,
  headGradientKernel,
  headKernel,
  lossGradientKernel,
} from './layer-kernels.ts';
import { squareSumKernel, updateKernel, type UpdateStep } from './update-kernels.ts';

/** Into `into`, where it is given. */
const run = (kernel: GpuKernel, arrays: readonly Float32Array[], into?: Float32Array) =>
  kernelResult(kernel, arrays, into === undefined ? {} : { into });

const waves = (length: number, phase: number) =>
  Float32Array.from({ length }, (_, index) => Math.sin(1.7 * index + phase));

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  for (let index = 0; index < actual.length; index++) {
    const error = Math.abs(actual[index]! - expected[index]!) / Math.max(1, Math.abs(expected[index]!));
    expect(error, `element ${index}: ${actual[index]} instead of ${expected[index]}`).toBeLessThan(tolerance);
  }
}

describe.skipIf(WEBGPU_FAULT !== undefined)(
  `kernels of head, loss and optimizers${WEBGPU_FAULT === undefined ? '' : ` [skipped: ${WEBGPU_FAULT}]`}`,
  () => {
    it('compute logits, and their gradients by features, weights and biases', async () => {
      const geometry = { samples: 3, positions: 5, channels: 16 };
      const features = 80;
      const [x, head, slopes] = [waves(3 * features, 0), waves(2 * features + 2, 1), waves(6, 2)];
      /** Features count channel by channel. */
      const feature = (index: number) => (index % 16) * 5 + Math.floor(index / 16);
      const logits = new Float64Array(6);
      const atHead = new Float64Array(head.length);
      const atX = new Float64Array(x.length);
      for (let out = 0; out < 6; out++) {
        const [sample, side] = [Math.floor(out / 2), out % 2];
        logits[out] = head[2 * features + side]!;
        atHead[2 * features + side]! += slopes[out]!;
        for (let index = 0; index < features; index++) {
          const [from, weight] = [sample * features + index, side * features + feature(index)];
          logits[out]! += x[from]! * head[weight]!;
          atHead[weight]! += slopes[out]! * x[from]!;
          atX[from]! += slopes[out]! * head[weight]!;
        }
      }
      expectClose(await run(headKernel(geometry), [x, head]), logits);
      expectClose(await run(headGradientKernel(geometry), [x, slopes]), atHead);
      expectClose(await run(featureGradientKernel(geometry), [slopes, head]), atX);
    });

    it.each([
      { positiveWeight: 1, focusing: 0 },
      { positiveWeight: 3, focusing: 0 },
      { positiveWeight: 3, focusing: 2 },
    ])('derive the loss %j by the logits, large ones too', async (loss) => {
      const margins = [-900, -30, -1, 0, 0.5, 2, 40, 900];
      const logits = Float32Array.from(margins.flatMap((margin) => [0.25, 0.25 + margin]));
      const labels = Float32Array.from(margins, (_, index) => [0, 1, 0.25][index % 3]!);
      const expected = margins.flatMap((_, sample) =>
        sampleLoss([logits[2 * sample]!, logits[2 * sample + 1]!], labels[sample]!, loss).logitGradient.map(
          (slope) => slope / 16,
        ),
      );
      const kernel = lossGradientKernel(margins.length, { ...loss, batchSamples: 16 });
      expectClose(await run(kernel, [logits, labels]), expected);
    });

    const LENGTH = 70;
    const size = { learningRate: 0.01, gradientScale: 1 };
    const adam = adamStep({ optimizer: 'adamw', momentum: 0, weightDecay: 0.1 }, 3, size);
    it.each<[string, UpdateStep, number]>([
      ['sgd', { kind: 'sgd', step: { ...size, momentum: 0.9, weightDecay: 0.1 } }, 1],
      ['adamw', { kind: 'adam', step: adam }, 2],
    ])('step by %s, clipped to a norm, and leave what is frozen', async (_, update, slots) => {
      const trained = 60;
      const state = waves(LENGTH * (1 + slots), 0).map(Math.abs);
      const gradient = waves(LENGTH, 1);
      const squares = await run(squareSumKernel(trained), [gradient], Float32Array.of(0));
      const norm = Math.hypot(...gradient.subarray(0, trained));
      expectClose(squares, [norm ** 2]);
      const part = (slot: number) => state.slice(slot * LENGTH, slot * LENGTH + trained);
      const [values, first, second] = [part(0), part(1), part(2)];
      const step = { gradientScale: 0.5 / (norm + 1e-6) };
      const asked = gradient.subarray(0, trained);
      if (update.kind === 'sgd') stepSgd(values, first, asked, { ...update.step, ...step });
      else stepAdam(values, [first, second], asked, { ...update.step, ...step });
      const expected = state.slice();
      for (const [slot, array] of [values, first, second].slice(0, slots + 1).entries()) {
        expected.set(array, slot * LENGTH);
      }
      const actual = await run(
        updateKernel({ length: LENGTH, trained }, update, 0.5),
        [gradient, squares],
        state,
      );
      expectClose(actual, expected);
      expect(actual.subarray(trained, LENGTH)).toEqual(state.subarray(trained, LENGTH));
    });
  },
);
