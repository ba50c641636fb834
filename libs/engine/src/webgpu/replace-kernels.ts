/** Own kernels in place of those of tfjs's webgpu backend: any tfjs model of this process then computes with them. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { replaceKernel, type KernelCall, type Replacement } from '../tfjs/replace-kernel.ts';
import { convolutionKernel, inputGradientKernel } from './kernels/convolution-kernel.ts';
import type { ConvolutionGeometry } from './kernels/convolution-geometry.ts';
import { filterGradientKernel, partSumKernel } from './kernels/filter-gradient-kernel.ts';
import { runKernel } from './kernels/gpu-kernel.ts';
import {
  hasSeparateWindows,
  maxPoolGradientKernel,
  maxPoolKernel,
  type PoolGeometry,
} from './kernels/pool-kernels.ts';

type WebgpuCall = KernelCall<WebGPUBackend>;

const BACKEND_NAME = 'webgpu';

function replace(name: string, replacement: Replacement<WebGPUBackend>): void {
  replaceKernel(name, { backendName: BACKEND_NAME, fallback: BACKEND_NAME }, replacement);
}

type Shape5 = [number, number, number, number, number];

/** Where the windows of a convolution or pool lie: what both geometries have. */
function placesOf(info: tf.backend_util.Conv3DInfo) {
  return {
    samples: info.batchSize,
    input: [info.inDepth, info.inHeight, info.inWidth],
    output: [info.outDepth, info.outHeight, info.outWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    padding: [info.padInfo.front, info.padInfo.top, info.padInfo.left],
  } as const;
}

/** Undefined for dilations. */
function convolutionOf(
  input: unknown,
  filter: unknown,
  attrs: WebgpuCall['attrs'],
): ConvolutionGeometry | undefined {
  const dilations = [attrs['dilations'] ?? 1].flat() as number[];
  if (dilations.some((dilation) => dilation !== 1)) return undefined;
  const { strides, pad } = attrs as { strides: [number, number, number]; pad: 'same' | 'valid' };
  const info = tf.backend_util.computeConv3DInfo(input as Shape5, filter as Shape5, strides, 1, pad);
  return {
    ...placesOf(info),
    filter: [info.filterDepth, info.filterHeight, info.filterWidth],
    inputs: info.inChannels,
    outputs: info.outChannels,
  };
}

function poolOf(input: TensorInfo, attrs: WebgpuCall['attrs']): PoolGeometry | undefined {
  const { filterSize, strides, pad, dimRoundingMode, dataFormat } = attrs;
  if (dataFormat !== undefined && dataFormat !== 'NDHWC') return undefined;
  const sides = [filterSize, strides] as [number, number];
  const rounding = dimRoundingMode as 'floor';
  const info = tf.backend_util.computePool3DInfo(input.shape as Shape5, ...sides, 1, pad as 'same', rounding);
  return {
    ...placesOf(info),
    window: [info.effectiveFilterDepth, info.effectiveFilterHeight, info.effectiveFilterWidth],
    channels: info.inChannels,
  };
}

function filterGradient({ inputs: { x, dy }, attrs, backend }: WebgpuCall): TensorInfo | undefined {
  const geometry = convolutionOf(x!.shape, attrs['filterShape'], attrs);
  if (geometry === undefined) return undefined;
  const kernel = filterGradientKernel(geometry);
  const parts = runKernel(backend, kernel, [x!, dy!]);
  const sum = runKernel(backend, partSumKernel(kernel.output.shape[0]!, attrs['filterShape'] as number[]), [
    parts,
  ]);
  backend.disposeData(parts.dataId);
  return sum;
}

export function replaceWebgpuKernels(): void {
  replace('Conv3D', ({ inputs: { x, filter }, attrs, backend }) => {
    const geometry = convolutionOf(x!.shape, filter!.shape, attrs);
    return geometry && runKernel(backend, convolutionKernel(geometry), [x!, filter!]);
  });
  replace('Conv3DBackpropInputV2', ({ inputs: { dy, filter }, attrs, backend }) => {
    const geometry = convolutionOf(attrs['inputShape'], filter!.shape, attrs);
    if (geometry === undefined || geometry.strides.some((stride) => stride !== 1)) return undefined;
    return runKernel(backend, inputGradientKernel(geometry), [dy!, filter!]);
  });
  replace('Conv3DBackpropFilterV2', filterGradient);
  replace('MaxPool3D', ({ inputs: { x }, attrs, backend }) => {
    const geometry = poolOf(x!, attrs);
    return geometry && runKernel(backend, maxPoolKernel(geometry), [x!]);
  });
  replace('MaxPool3DGrad', ({ inputs: { dy, input }, attrs, backend }) => {
    const geometry = poolOf(input!, attrs);
    if (geometry === undefined || !hasSeparateWindows(geometry)) return undefined;
    return runKernel(backend, maxPoolGradientKernel(geometry), [input!, dy!]);
  });
}
