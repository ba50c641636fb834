/** Own kernels in place of those of tfjs's webgpu backend: any tfjs model of this process then computes with them. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
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

interface KernelCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: WebGPUBackend;
}

const BACKEND_NAME = 'webgpu';

/** `replacement` gives undefined for what is left to the kernel that was there. */
function replace(name: string, replacement: (call: KernelCall) => TensorInfo | undefined): void {
  const { kernelFunc: original } = tf.getKernel(name, BACKEND_NAME);
  tf.unregisterKernel(name, BACKEND_NAME);
  tf.registerKernel({
    kernelName: name,
    backendName: BACKEND_NAME,
    kernelFunc: (call) => {
      const { inputs, attrs = {}, backend } = call;
      return (
        replacement({ inputs, attrs, backend: backend as WebGPUBackend } as KernelCall) ?? original(call)
      );
    },
  });
}

type Shape5 = [number, number, number, number, number];

/** Undefined for dilations. */
function convolutionOf(
  input: unknown,
  filter: unknown,
  attrs: KernelCall['attrs'],
): ConvolutionGeometry | undefined {
  const dilations = [attrs['dilations'] ?? 1].flat() as number[];
  if (dilations.some((dilation) => dilation !== 1)) return undefined;
  const { strides, pad } = attrs as { strides: [number, number, number]; pad: 'same' | 'valid' };
  const info = tf.backend_util.computeConv3DInfo(input as Shape5, filter as Shape5, strides, 1, pad);
  return {
    samples: info.batchSize,
    input: [info.inDepth, info.inHeight, info.inWidth],
    output: [info.outDepth, info.outHeight, info.outWidth],
    filter: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    padding: [info.padInfo.front, info.padInfo.top, info.padInfo.left],
    inputs: info.inChannels,
    outputs: info.outChannels,
  };
}

function poolOf(input: TensorInfo, attrs: KernelCall['attrs']): PoolGeometry | undefined {
  const { filterSize, strides, pad, dimRoundingMode, dataFormat } = attrs;
  if (dataFormat !== undefined && dataFormat !== 'NDHWC') return undefined;
  const sides = [filterSize, strides] as [number, number];
  const rounding = dimRoundingMode as 'floor';
  const info = tf.backend_util.computePool3DInfo(input.shape as Shape5, ...sides, 1, pad as 'same', rounding);
  return {
    samples: info.batchSize,
    input: [info.inDepth, info.inHeight, info.inWidth],
    output: [info.outDepth, info.outHeight, info.outWidth],
    window: [info.effectiveFilterDepth, info.effectiveFilterHeight, info.effectiveFilterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    padding: [info.padInfo.front, info.padInfo.top, info.padInfo.left],
    channels: info.inChannels,
  };
}

function filterGradient({ inputs: { x, dy }, attrs, backend }: KernelCall): TensorInfo | undefined {
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
