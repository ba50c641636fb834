/** Conv3D and its gradients on the kernels of `kernels/`. */
import type { TensorInfo } from '@tensorflow/tfjs';
import {
  convInfoOf,
  convolve,
  convolveGradient,
  parameterGradients,
  PLAIN_OUTPUT,
  sharedArray,
} from './convolution.ts';
import { areFloats, replaceKernel, type KernelCallArguments } from './replaced-kernel.ts';

function conv3d({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { x, filter } = inputs as { x: TensorInfo; filter: TensorInfo };
  const dilations = [attrs['dilations'] ?? 1].flat() as number[];
  if (!areFloats(x, filter) || dilations.some((dilation) => dilation !== 1)) return undefined;
  return convolve(backend, convInfoOf(x.shape, filter.shape, attrs), { x, filter, output: PLAIN_OUTPUT });
}

function conv3dInputGradient({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
  if (!areFloats(dy, filter)) return undefined;
  const info = convInfoOf(attrs['inputShape'], filter.shape, attrs);
  return convolveGradient(backend, info, { dy: sharedArray(backend, dy), filter });
}

function conv3dFilterGradient({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
  if (!areFloats(x, dy)) return undefined;
  const info = convInfoOf(x.shape, attrs['filterShape'], attrs);
  const { filter, bias } = parameterGradients(backend, info, { x, dy: backend.addressOf(dy) });
  backend.disposeData(bias.dataId);
  return filter;
}

export function replaceConvolutions(): void {
  replaceKernel('Conv3D', conv3d);
  replaceKernel('Conv3DBackpropInputV2', conv3dInputGradient);
  replaceKernel('Conv3DBackpropFilterV2', conv3dFilterGradient);
}
