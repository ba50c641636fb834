import { RandomPurpose, RandomStream } from '@lunastream/random';
import { describe, expect, it } from 'vitest';
import { kernelResult } from '../../testing/run-kernel.ts';
import { WEBGPU_FAULT } from '../../testing/webgpu.ts';
import {
  referenceConvolution,
  referenceFilterGradient,
  referenceInputGradient,
  referenceMaxPool,
  type Sides,
} from '../../testing/reference-convolution.ts';
import { convolutionKernel, inputGradientKernel } from './convolution-kernel.ts';
import {
  filterGradientTile,
  volume,
  type ConvolutionGeometry,
  type TileShape,
} from './convolution-geometry.ts';
import { filterGradientKernel, partSumKernel } from './filter-gradient-kernel.ts';
import type { GpuKernel } from './gpu-kernel.ts';
import { maxPoolGradientKernel, maxPoolKernel, type PoolGeometry } from './pool-kernels.ts';

let seed = 0;
function gaussians(length: number): Float32Array {
  const random = new RandomStream({ runSeed: seed++, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Float32Array.from({ length }, () => random.gaussian());
}

const run = (kernel: GpuKernel, ...arrays: readonly Float32Array[]) => kernelResult(kernel, arrays);

/** Splits, then adds. */
async function runFilterGradient(
  kernel: GpuKernel,
  ...arrays: readonly Float32Array[]
): Promise<Float32Array> {
  const [parts, ...shape] = kernel.output.shape;
  return run(partSumKernel(parts!, shape), await run(kernel, ...arrays));
}

function expectClose(actual: Float32Array, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.sqrt(
    Array.from(expected).reduce((sum, value) => sum + value * value, 0) / expected.length,
  );
  expect(scale).toBeGreaterThan(0);
  const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0);
  // Float32's rounding over up to some thousand terms, against the values' mean size.
  expect(worst / scale).toBeLessThan(1e-5);
}

function geometryOf(
  input: Sides,
  { inputs, outputs }: { readonly inputs: number; readonly outputs: number },
  {
    samples = 2,
    filter = [3, 3, 3],
    strides = [1, 1, 1],
    padding = [1, 1, 1],
  }: Partial<ConvolutionGeometry> = {},
): ConvolutionGeometry {
  const [depth, height, width] = input.map(
    (side, axis) => Math.floor((side + 2 * padding[axis]! - filter[axis]!) / strides[axis]!) + 1,
  );
  return { samples, input, output: [depth!, height!, width!], filter, strides, padding, inputs, outputs };
}

const SMALL_TILE: TileShape = { threads: 16, rowsPerThread: 4, columnsPerThread: 4, columns: 8, depth: 4 };

/** The network's pairs of channels, and shapes that fit no tile. */
const CONVOLUTIONS: [string, ConvolutionGeometry, TileShape | undefined][] = [
  ['1 to 8', geometryOf([4, 6, 5], { inputs: 1, outputs: 8 }), undefined],
  ['8 to 8', geometryOf([5, 4, 6], { inputs: 8, outputs: 8 }), undefined],
  ['8 to 16', geometryOf([3, 4, 5], { inputs: 8, outputs: 16 }), undefined],
  ['16 to 32', geometryOf([3, 4, 3], { inputs: 16, outputs: 32 }), undefined],
  ['32 to 64', geometryOf([2, 3, 3], { inputs: 32, outputs: 64 }), undefined],
  ['64 to 64', geometryOf([1, 2, 2], { inputs: 64, outputs: 64 }, { samples: 3 }), undefined],
  ['4 to 12, in small tiles', geometryOf([3, 5, 4], { inputs: 4, outputs: 12 }), SMALL_TILE],
  ['3 to 5', geometryOf([4, 4, 5], { inputs: 3, outputs: 5 }), undefined],
  [
    '1 to 8, one sample of one voxel',
    geometryOf([1, 1, 1], { inputs: 1, outputs: 8 }, { samples: 1 }),
    undefined,
  ],
  ['8 to 8, one sample', geometryOf([5, 7, 3], { inputs: 8, outputs: 8 }, { samples: 1 }), undefined],
  ['8 to 16, batch of 32', geometryOf([2, 3, 3], { inputs: 8, outputs: 16 }, { samples: 32 }), undefined],
  ['1 to 1', geometryOf([3, 4, 5], { inputs: 1, outputs: 1 }), undefined],
  [
    '4 to 68 from kernels of 1 x 3 x 2',
    geometryOf([3, 5, 4], { inputs: 4, outputs: 68 }, { filter: [1, 3, 2], padding: [0, 1, 0] }),
    undefined,
  ],
];
const STRIDED = geometryOf([6, 7, 5], { inputs: 4, outputs: 8 }, { strides: [2, 1, 2] });

const sizes = ({ samples, input, output, filter, inputs, outputs }: ConvolutionGeometry) => ({
  x: samples * volume(input) * inputs,
  y: samples * volume(output) * outputs,
  weights: volume(filter) * inputs * outputs,
});

describe.skipIf(WEBGPU_FAULT !== undefined)(
  `WGSL kernels${WEBGPU_FAULT === undefined ? '' : ` [skipped: ${WEBGPU_FAULT}]`}`,
  () => {
    it.each([...CONVOLUTIONS, ['with strides', STRIDED, undefined] as const])(
      'convolve %s, add a bias and cut at zero',
      async (_, geometry, tile) => {
        const { x, weights } = sizes(geometry);
        const { outputs } = geometry;
        const [values, parameters] = [gaussians(x), gaussians(weights + outputs)];
        const options = { bias: true, relu: true, ...(tile === undefined ? {} : { tile }) };
        const actual = await run(convolutionKernel(geometry, options), values, parameters);
        const expected = referenceConvolution(geometry, values, parameters.subarray(0, weights));
        expectClose(
          actual,
          expected.map((value, index) => Math.max(0, value + parameters[weights + (index % outputs)]!)),
        );
      },
    );

    it('convolve without either', async () => {
      const { x, weights } = sizes(STRIDED);
      const [values, filter] = [gaussians(x), gaussians(weights)];
      expectClose(
        await run(convolutionKernel(STRIDED), values, filter),
        referenceConvolution(STRIDED, values, filter),
      );
    });

    it('scale and shift a single channel without touching its border', async () => {
      const geometry = geometryOf([3, 4, 5], { inputs: 1, outputs: 8 });
      const { x, weights } = sizes(geometry);
      const [values, parameters] = [gaussians(x), gaussians(weights + 10)];
      const kernel = convolutionKernel(geometry, { bias: true, relu: true, affine: true });
      const [scale, shift] = parameters.subarray(weights + 8);
      const actual = await run(kernel, values, parameters);
      const expected = referenceConvolution(
        geometry,
        values.map((value) => scale! * value + shift!),
        parameters.subarray(0, weights),
      ).map((value, index) => Math.max(0, value + parameters[weights + (index % 8)]!));
      expectClose(actual, expected);
    });

    it.each(CONVOLUTIONS)('give the input gradient of %s', async (_, geometry, tile) => {
      const { y, weights } = sizes(geometry);
      const [dy, output, filter] = [gaussians(y), gaussians(y), gaussians(weights)];
      const kernel = inputGradientKernel(geometry, { mask: true, ...(tile === undefined ? {} : { tile }) });
      const masked = dy.map((value, index) => (output[index]! > 0 ? value : 0));
      expectClose(await run(kernel, dy, filter, output), referenceInputGradient(geometry, masked, filter));
      const unmasked = await run(inputGradientKernel(geometry), dy, filter);
      expectClose(unmasked, referenceInputGradient(geometry, dy, filter));
    });

    it.each([...CONVOLUTIONS, ['with strides', STRIDED, undefined] as const])(
      'give the filter and bias gradient of %s',
      async (_, geometry, tile) => {
        const { x, y } = sizes(geometry);
        const { outputs } = geometry;
        const [values, dy, output] = [gaussians(x), gaussians(y), gaussians(y)];
        const options = { bias: true, mask: true, ...(tile === undefined ? {} : { tile }) };
        const masked = dy.map((value, index) => (output[index]! > 0 ? value : 0));
        const expected = [...referenceFilterGradient(geometry, values, masked), ...new Float64Array(outputs)];
        masked.forEach((value, index) => (expected[expected.length - outputs + (index % outputs)]! += value));
        expectClose(
          await runFilterGradient(filterGradientKernel(geometry, options), values, dy, output),
          expected,
        );
      },
    );

    it('add the parts of a split filter gradient in order, equal bits each time', async () => {
      const geometry = geometryOf([8, 9, 10], { inputs: 4, outputs: 8 });
      const { x, y, weights } = sizes(geometry);
      const [values, dy] = [gaussians(x), gaussians(y)];
      const kernel = filterGradientKernel(geometry, { tile: filterGradientTile(8) });
      expect(kernel.output.shape[0]).toBeGreaterThan(3);
      const parts = await run(kernel, values, dy);
      const summed = await runFilterGradient(kernel, values, dy);
      const inOrder = Float32Array.from({ length: weights }, (_, index) => {
        let sum = 0;
        for (let at = index; at < parts.length; at += weights) sum = Math.fround(sum + parts[at]!);
        return sum;
      });
      expect(summed).toEqual(inOrder);
      expectClose(summed, referenceFilterGradient(geometry, values, dy));
      expect(await runFilterGradient(kernel, values, dy)).toEqual(summed);
    });

    it('give the filter gradients against a channel and against ones, zero outside', async () => {
      const geometry = geometryOf([3, 4, 5], { inputs: 1, outputs: 8 });
      const { x, y } = sizes(geometry);
      const [values, dy] = [gaussians(x), gaussians(y)];
      const actual = await runFilterGradient(filterGradientKernel(geometry, { ones: true }), values, dy);
      const pairs = Float32Array.from({ length: 2 * x }, (_, index) =>
        index % 2 === 0 ? values[index / 2]! : 1,
      );
      expectClose(actual, referenceFilterGradient({ ...geometry, inputs: 2 }, pairs, dy));
    });

    const pool = (input: Sides, channels: number, change: Partial<PoolGeometry> = {}): PoolGeometry => {
      const shape = {
        window: [2, 2, 2] as Sides,
        strides: [2, 2, 2] as Sides,
        padding: [0, 0, 0] as Sides,
        ...change,
      };
      const [depth, height, width] = input.map(
        (side, axis) =>
          Math.floor((side + 2 * shape.padding[axis]! - shape.window[axis]!) / shape.strides[axis]!) + 1,
      );
      return { samples: 2, ...shape, input, output: [depth!, height!, width!], channels };
    };
    const referenceOf = ({ window, channels, ...rest }: PoolGeometry) => ({
      ...rest,
      filter: window,
      inputs: channels,
      outputs: channels,
    });

    it.each([
      ['even sides', pool([4, 6, 4], 8)],
      ['odd sides', pool([5, 7, 3], 4)],
      ['channels not in fours', pool([4, 4, 6], 3)],
      ['one channel', pool([4, 6, 4], 1)],
      ['one sample of one window', pool([2, 2, 3], 8, { samples: 1 })],
      ['a batch of 32', pool([3, 2, 4], 8, { samples: 32 })],
      [
        'overlapping windows over a border',
        pool([5, 5, 4], 4, { window: [3, 3, 2], strides: [1, 2, 2], padding: [1, 1, 0] }),
      ],
    ])('pool %s, and give the gradient to the first of equals', async (name, geometry) => {
      const length = geometry.samples * volume(geometry.input) * geometry.channels;
      // Few different values, so that windows have equals; negative ones, so that none is compared with zero.
      const values = gaussians(length).map((value) => Math.round(value) - 3);
      const { maxima, places } = referenceMaxPool(referenceOf(geometry), values);
      expect(await run(maxPoolKernel(geometry), values)).toEqual(Float32Array.from(maxima));
      if (name.startsWith('overlapping')) {
        expect(() => maxPoolGradientKernel(geometry)).toThrow('overlap');
        return;
      }
      const dy = gaussians(maxima.length);
      const expected = new Float32Array(length);
      dy.forEach((value, index) => (expected[places[index]!] = value));
      const actual = await run(maxPoolGradientKernel(geometry), values, dy);
      expect(actual.map((value) => value + 0)).toEqual(expected);
    });
  },
);
