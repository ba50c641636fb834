/** MaxPool3D and its gradient where the channels fill vectors. */
import tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import { callKernel, type KernelArguments } from '../simd/kernel-calls.ts';
import { areFloats, replaceKernel, type KernelCallArguments } from './replaced-kernel.ts';

type PoolInfo = ReturnType<typeof tf.backend_util.computePool3DInfo>;

const VECTOR_VALUES = 4;
/** Of a thread's room for four maxima and their places. */
const LARGEST_BYTES = 64;

/** Undefined for cases left to the CPU backend: odd channel numbers, and paddings that a window could lie in. */
function poolInfoOf(input: TensorInfo, attrs: KernelCallArguments['attrs']): PoolInfo | undefined {
  const { filterSize, strides, pad, dimRoundingMode, dataFormat } = attrs;
  if (pad !== 'same' && pad !== 'valid') return undefined;
  if (dataFormat !== undefined && dataFormat !== 'NDHWC') return undefined;
  if (input.shape[4]! % VECTOR_VALUES !== 0) return undefined;
  return tf.backend_util.computePool3DInfo(
    input.shape as [number, number, number, number, number],
    filterSize as number,
    strides as number,
    1,
    pad,
    dimRoundingMode as 'floor',
  );
}

function poolArguments(
  info: PoolInfo,
): Omit<KernelArguments<'maxPool'>, 'input' | 'output' | 'inputGradient' | 'largest'> {
  return {
    ...{ depth: info.inDepth, height: info.inHeight, width: info.inWidth, channels: info.inChannels },
    ...{ outDepth: info.outDepth, outHeight: info.outHeight, outWidth: info.outWidth },
    windowDepth: info.effectiveFilterDepth,
    windowHeight: info.effectiveFilterHeight,
    windowWidth: info.effectiveFilterWidth,
    ...{ strideDepth: info.strideDepth, strideHeight: info.strideHeight, strideWidth: info.strideWidth },
    ...{ padFront: info.padInfo.front, padTop: info.padInfo.top, padLeft: info.padInfo.left },
  };
}

function maxPool({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { x } = inputs as { x: TensorInfo };
  const info = areFloats(x) ? poolInfoOf(x, attrs) : undefined;
  if (info === undefined) return undefined;
  const { info: result, address: output } = backend.makeShared(info.outShape);
  const shared = { ...poolArguments(info), input: backend.addressOf(x), output, inputGradient: 0 };
  backend.withRoom([backend.threads * LARGEST_BYTES], (room) => {
    backend.run(
      (thread) => [callKernel('maxPool', { ...shared, largest: room + thread * LARGEST_BYTES })],
      info.batchSize * info.outDepth,
    );
  });
  return result;
}

function maxPoolGradient({ inputs, attrs, backend }: KernelCallArguments): TensorInfo | undefined {
  const { dy, input } = inputs as { dy: TensorInfo; input: TensorInfo };
  const info = areFloats(dy, input) ? poolInfoOf(input, attrs) : undefined;
  if (info === undefined) return undefined;
  const { info: result, address: inputGradient } = backend.makeShared(input.shape);
  const addresses = { input: backend.addressOf(input), output: backend.addressOf(dy), inputGradient };
  const shared = { ...poolArguments(info), ...addresses };
  backend.withRoom([backend.threads * LARGEST_BYTES], (room) => {
    backend.run(
      (thread) => [callKernel('maxPoolGradient', { ...shared, largest: room + thread * LARGEST_BYTES })],
      info.batchSize,
    );
  });
  return result;
}

export function replacePools(): void {
  replaceKernel('MaxPool3D', maxPool);
  replaceKernel('MaxPool3DGrad', maxPoolGradient);
}
