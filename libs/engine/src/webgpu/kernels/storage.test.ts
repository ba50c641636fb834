import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { describe, expect, it } from 'vitest';
import {
  referenceConvolution,
  referenceFilterGradient,
  referenceInputGradient,
  referenceMaxPool,
  type Sides,
} from '../../testing/reference-convolution.ts';
import { kernelResult, toFloat16 } from '../../testing/run-kernel.ts';
import { WEBGPU_FAULT } from '../../testing/webgpu.ts';
import { loadWebgpu } from '../load-webgpu.ts';
import type { DawnModule } from '../start-dawn.ts';
import { convolutionKernel, inputGradientKernel } from './convolution-kernel.ts';
import { volume, type ConvolutionGeometry } from './convolution-geometry.ts';
import { filterGradientKernel, partSumKernel } from './filter-gradient-kernel.ts';
import {
  capabilitiesOf,
  moveEnablesUp,
  runKernel,
  type Capabilities,
  type GpuKernel,
  type Storage,
} from './gpu-kernel.ts';
import { segmentStatisticsKernel } from './input-kernels.ts';
import { headGradientKernel, headKernel, storeKernel } from './layer-kernels.ts';
import { maxPoolGradientKernel, maxPoolKernel, type PoolGeometry } from './pool-kernels.ts';
import { squareSumKernel } from './update-kernels.ts';

const random = new RandomStream({ runSeed: 5, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
const gaussians = (length: number) => Float32Array.from({ length }, () => random.gaussian());
/** Exact in 16 bits: what is compared is what kernels make of them. */
const float16s = (length: number) => gaussians(length).map(toFloat16);

const ONES: Sides = [1, 1, 1];
const GEOMETRY: ConvolutionGeometry = {
  samples: 2,
  input: [3, 4, 5],
  output: [3, 4, 5],
  filter: [3, 3, 3],
  strides: ONES,
  padding: ONES,
  inputs: 8,
  outputs: 16,
};
const POOL: PoolGeometry = {
  samples: 2,
  input: [4, 5, 6],
  output: [2, 2, 3],
  window: [2, 2, 2],
  strides: [2, 2, 2],
  padding: [0, 0, 0],
  channels: 8,
};
const HEAD = { samples: 3, positions: 5, channels: 16 };
const X = 2 * volume(GEOMETRY.input) * GEOMETRY.inputs;
const Y = 2 * volume(GEOMETRY.output) * GEOMETRY.outputs;
const WEIGHTS = 27 * GEOMETRY.inputs * GEOMETRY.outputs;
const HALF = 'float16' as const;

/**
 * WGSL lets a device round to either neighbour in 16 bits, 2^-10 of the value apart (2^-24 near zero); float32's sums of some
 * hundred terms add a hundred-thousandth of the values' mean size.
 */
function expectNear(actual: Float32Array, expected: ArrayLike<number>, isRounded: boolean): void {
  expect(actual.length).toBe(expected.length);
  const meanSize = Math.sqrt(
    Array.from(expected).reduce((sum, value) => sum + value * value, 0) / expected.length,
  );
  expect(meanSize).toBeGreaterThan(0);
  actual.forEach((value, index) => {
    const rounding = isRounded ? Math.max(2 ** -24, 2 ** -10 * Math.abs(expected[index]!)) : 0;
    expect(Math.abs(value - expected[index]!), `element ${index}`).toBeLessThan(rounding + 1e-5 * meanSize);
  });
}

const title = WEBGPU_FAULT === undefined ? '' : ` [skipped: ${WEBGPU_FAULT}]`;

describe.skipIf(WEBGPU_FAULT !== undefined)(`float16 storage${title}`, () => {
  it('keeps 11 bits, of any size, and limits what is beyond', async () => {
    const exact = [0, 1, -1, 2048, -2047, 1 / 3, 65504, -65504, 2 ** -14, 2 ** -24, -3 * 2 ** -24].map(
      toFloat16,
    );
    const values = Float32Array.from([...exact, 70_000, -1e30, ...gaussians(51)]);
    const stored = await kernelResult(storeKernel([values.length], HALF), [values]);
    expect([...stored.subarray(0, exact.length)]).toEqual(exact);
    expect([...stored.subarray(exact.length, exact.length + 2)]).toEqual([65504, -65504]);
    expectNear(stored.subarray(13), values.subarray(13), true);
    expect(stored.subarray(13)).not.toEqual(values.subarray(13));
  });

  it('lets convolutions read and write 16 bits, and sum in 32', async () => {
    const [x, parameters] = [float16s(X), gaussians(WEIGHTS + GEOMETRY.outputs)];
    const kernel = convolutionKernel(GEOMETRY, { bias: true, relu: true, storage: HALF });
    const expected = referenceConvolution(GEOMETRY, x, parameters.subarray(0, WEIGHTS)).map((value, index) =>
      Math.max(0, value + parameters[WEIGHTS + (index % GEOMETRY.outputs)]!),
    );
    expectNear(await kernelResult(kernel, [x, parameters], { storages: [HALF] }), expected, true);
  });

  it('gives gradients of 32 bits from activations of 16', async () => {
    const [x, dy, output] = [float16s(X), gaussians(Y), float16s(Y)];
    const filter = gaussians(WEIGHTS);
    const masked = dy.map((value, index) => (output[index]! > 0 ? value : 0));
    const storages = [undefined, undefined, HALF];
    const atX = await kernelResult(inputGradientKernel(GEOMETRY, { mask: true }), [dy, filter, output], {
      storages,
    });
    expectNear(atX, referenceInputGradient(GEOMETRY, masked, filter), false);
    const kernel = filterGradientKernel(GEOMETRY, { mask: true });
    const parts = await kernelResult(kernel, [x, dy, output], { storages: [HALF, undefined, HALF] });
    const atFilter = await kernelResult(partSumKernel(kernel.output.shape[0]!, [WEIGHTS]), [parts]);
    expectNear(atFilter, referenceFilterGradient(GEOMETRY, x, masked), false);
  });

  it('pools exactly, and gives the gradient to the first of equals', async () => {
    const reference = { ...POOL, filter: POOL.window, inputs: 8, outputs: 8 };
    const x = gaussians(2 * volume(POOL.input) * 8).map((value) => Math.round(value) - 3);
    const { maxima, places } = referenceMaxPool(reference, x);
    const pooled = await kernelResult(maxPoolKernel(POOL, HALF), [x], { storages: [HALF] });
    expect(pooled).toEqual(Float32Array.from(maxima));
    const dy = gaussians(maxima.length);
    const expected = new Float32Array(x.length);
    dy.forEach((value, index) => (expected[places[index]!] = value));
    const actual = await kernelResult(maxPoolGradientKernel(POOL), [x, dy], { storages: [HALF] });
    expect(actual.map((value) => value + 0)).toEqual(expected);
  });

  it('feeds the head and its gradient as 32 bits do', async () => {
    const [x, head, slopes] = [float16s(3 * 80), gaussians(2 * 80 + 2), gaussians(6)];
    for (const [kernel, other] of [
      [headKernel(HEAD), head],
      [headGradientKernel(HEAD), slopes],
    ] as const) {
      const halves = await kernelResult(kernel, [x, other], { storages: [HALF] });
      expect(halves).toEqual(await kernelResult(kernel, [x, other]));
    }
  });

  it('refuses to write other than fours', async () => {
    await expect(kernelResult(storeKernel([6], HALF), [gaussians(6)])).rejects.toThrow(
      'internal: float16 comes in fours, got 6',
    );
  });
});

/** Both forms of a sum, where the device has subgroups; else that of workgroup memory alone. */
const FORMS: Capabilities[] = [{ float16: false, subgroups: false }];
const hasSubgroups =
  WEBGPU_FAULT === undefined && capabilitiesOf((await loadWebgpu()).backend.device).subgroups;
if (hasSubgroups) FORMS.push({ float16: false, subgroups: true });

describe.skipIf(WEBGPU_FAULT !== undefined)(
  `sums of a workgroup${title}${hasSubgroups || title !== '' ? '' : ' [by subgroups skipped: the device has none]'}`,
  () => {
    it.each(FORMS)('are those of float64, equal bits each time: %j', async (capabilities) => {
      const values = gaussians(1000);
      const squares = () =>
        kernelResult(squareSumKernel(900), [values], { into: Float32Array.of(2), capabilities });
      const sum = values.subarray(0, 900).reduce((total, value) => total + value * value, 2);
      expectNear(await squares(), [sum], false);
      expect(await squares()).toEqual(await squares());
      const [x, head] = [gaussians(3 * 80), gaussians(2 * 80 + 2)];
      const logits = Float64Array.from({ length: 6 }, (_, out) => {
        const [sample, side] = [Math.floor(out / 2), out % 2];
        let logit = head[160 + side]!;
        for (let index = 0; index < 80; index++) {
          const feature = (index % 16) * 5 + Math.floor(index / 16);
          logit += x[sample * 80 + index]! * head[side * 80 + feature]!;
        }
        return logit;
      });
      expectNear(await kernelResult(headKernel(HEAD), [x, head], { capabilities }), logits, false);
      // Two sums, the second of what the first gave.
      const segments = segmentStatisticsKernel(
        { samples: 1, size: 900 },
        { firstSample: 0, batchSamples: 1 },
      );
      const mean = values.subarray(0, 900).reduce((total, value) => total + value, 0) / 900;
      const around = values.subarray(0, 900).reduce((total, value) => total + (value - mean) ** 2, 0);
      const [meanHere, aroundHere] = await kernelResult(segments, [values], { capabilities });
      expect(meanHere).toBeCloseTo(mean, 5);
      expect(aroundHere! / around).toBeCloseTo(1, 5);
      // So many parts that a workgroup's threads share them.
      const terms = gaussians(300 * 8);
      const totals = Float64Array.from({ length: 8 }, (_, place) =>
        terms.reduce((total, term, index) => (index % 8 === place ? total + term : total), 0),
      );
      expectNear(await kernelResult(partSumKernel(300, [8]), [terms], { capabilities }), totals, false);
    });
  },
);

/** Dawn's null backend computes nothing, has every feature, and checks shaders as for any other. */
async function nullDevice(features: readonly string[]): Promise<GPUDevice> {
  const { create } = (await import('webgpu')) as unknown as DawnModule;
  const adapter = await create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']).requestAdapter();
  return adapter!.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
}

describe.skipIf(WEBGPU_FAULT !== undefined)(`WGSL for what no adapter here has${title}`, () => {
  const ALL: [string, GpuKernel, (Storage | undefined)[]][] = [
    ['store', storeKernel([8], HALF), []],
    ['read', storeKernel([8], 'float32'), [HALF]],
    ['convolution', convolutionKernel(GEOMETRY, { bias: true, relu: true, storage: HALF }), [HALF]],
    ['input gradient', inputGradientKernel(GEOMETRY, { mask: true }), [undefined, undefined, HALF]],
    ['filter gradient', filterGradientKernel(GEOMETRY, { mask: true }), [HALF, undefined, HALF]],
    ['pool', maxPoolKernel(POOL, HALF), [HALF]],
    ['pool gradient', maxPoolGradientKernel(POOL), [HALF]],
    ['head', headKernel(HEAD), [HALF]],
    ['head gradient', headGradientKernel(HEAD), [HALF]],
    ['sum of parts', partSumKernel(300, [8]), []],
    ['sum of squares', squareSumKernel(8), []],
    [
      'statistics',
      segmentStatisticsKernel({ samples: 1, size: 900 }, { firstSample: 0, batchSamples: 1 }),
      [],
    ],
  ];
  const faultOn = async (
    device: GPUDevice,
    kernel: GpuKernel,
    storages: readonly (Storage | undefined)[],
  ) => {
    moveEnablesUp(device);
    const backend = new WebGPUBackend(device);
    const tensors = kernel.inputs.map((_, index) =>
      backend.makeTensorInfo([1024], storages[index] === HALF ? 'int32' : 'float32'),
    );
    device.pushErrorScope('validation');
    runKernel(backend, kernel, tensors, { capabilities: { float16: true, subgroups: true } });
    backend.endComputePassEncoder();
    backend.submitQueue();
    return (await device.popErrorScope())?.message;
  };

  it.each(ALL)('%s: valid with f16 and subgroups', async (_, kernel, storages) => {
    const device = await nullDevice(['shader-f16', 'subgroups']);
    expect(await faultOn(device, kernel, storages)).toBeUndefined();
    device.destroy();
  });

  it('is refused by a device without them', async () => {
    const device = await nullDevice([]);
    expect(await faultOn(device, storeKernel([8], HALF), [])).toMatch(/f16/);
    expect(await faultOn(device, squareSumKernel(8), [])).toMatch(/subgroups/);
    device.destroy();
  });
});
