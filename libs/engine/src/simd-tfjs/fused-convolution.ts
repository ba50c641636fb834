/**
 * Convolution, bias and ReLU in one pass over the output, and their gradients without a pass for each: `fusedConv3d`.
 */
import tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor5D, TensorInfo } from '@tensorflow/tfjs';
import { FLOAT_BYTES } from '../simd/volumes.ts';
import { convInfoOf, convolve, convolveGradient, parameterGradients } from './convolution.ts';
import { combineEqual } from './elementwise-kernels.ts';
import { onSimdBackend, registerOwnKernel, sizeOf, type KernelCallArguments } from './replaced-kernel.ts';

const CONVOLUTION = 'SimdFusedConv3D';
const INPUT_GRADIENT = 'SimdFusedConv3DInputGradient';
const PARAMETER_GRADIENTS = 'SimdFusedConv3DParameterGradients';

interface FusedAttributes {
  readonly strides: number | [number, number, number];
  readonly pad: 'same' | 'valid';
  readonly relu: boolean;
}

/** Lends `work` the gradient before the ReLU, or the one after it where there is none. */
function withGradientBeforeRelu<Result>(
  { inputs, attrs, backend }: KernelCallArguments,
  work: (address: number) => Result,
): Result {
  const { dy, y } = inputs as { dy: TensorInfo; y: TensorInfo };
  const address = backend.addressOf(dy);
  if (attrs['relu'] !== true) return work(address);
  return backend.withRoom([sizeOf(dy.shape) * FLOAT_BYTES], (masked) => {
    combineEqual(backend, 'Mask', {
      a: address,
      b: backend.addressOf(y),
      to: masked,
      length: sizeOf(dy.shape),
    });
    return work(masked);
  });
}

export function registerFusedConvolution(): void {
  registerOwnKernel(CONVOLUTION, ({ inputs, attrs, backend }) => {
    const { x, filter, bias } = inputs as { x: TensorInfo; filter: TensorInfo; bias: TensorInfo };
    const output = { bias: backend.addressOf(bias), floor: attrs['relu'] === true ? 0 : -Infinity };
    return convolve(backend, convInfoOf(x.shape, filter.shape, attrs), { x, filter, output });
  });
  registerOwnKernel(INPUT_GRADIENT, (call) => {
    const { dy, filter } = call.inputs as { dy: TensorInfo; filter: TensorInfo };
    const info = convInfoOf(call.attrs['inputShape'], filter.shape, call.attrs);
    return withGradientBeforeRelu(call, (address) => {
      const array = { shape: dy.shape, address };
      const gradient = convolveGradient(call.backend, info, { dy: array, filter });
      if (gradient === undefined)
        throw new Error('internal: a fused convolution has a padding without gradient');
      return gradient;
    });
  });
  registerOwnKernel(PARAMETER_GRADIENTS, (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    const info = convInfoOf(x.shape, call.attrs['filterShape'], call.attrs);
    return withGradientBeforeRelu(call, (dy) => {
      const { filter, bias } = parameterGradients(call.backend, info, { x, dy });
      return [filter, bias];
    });
  });
  // Registered, not by customGrad, which computes all gradients: that of a network's input, the dearest, nobody asks for.
  tf.registerGradient({
    kernelName: CONVOLUTION,
    inputsToSave: ['x', 'filter'],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const [x, filter, y] = saved as [Tensor5D, Tensor5D, Tensor5D];
      const { strides, pad, relu } = attrs as unknown as FusedAttributes;
      const shared = { strides, pad, relu };
      const [filterGradient, biasGradient] = tf
        .engine()
        .runKernel<Tensor[]>(
          PARAMETER_GRADIENTS,
          { x, dy: dy as Tensor, y },
          { ...shared, filterShape: filter.shape },
        );
      return {
        x: () =>
          tf
            .engine()
            .runKernel<Tensor>(
              INPUT_GRADIENT,
              { dy: dy as Tensor, y, filter },
              { ...shared, inputShape: x.shape },
            ),
        filter: () => filterGradient!,
        bias: () => biasGradient!,
      };
    },
  });
}

export interface FusedConvolution {
  /** `[samples, depth, height, width, in]` */
  readonly x: Tensor5D;
  /** `[depth, height, width, in, out]` */
  readonly filter: Tensor5D;
  /** `[out]` */
  readonly bias: Tensor1D;
  /** Default 1. */
  readonly strides?: number | [number, number, number];
  /** Default `same`. */
  readonly pad?: 'same' | 'valid';
  /** Default `relu`. */
  readonly activation?: 'relu' | 'linear';
}

/** `activation(conv3d(x, filter) + bias)`, differentiable. On other backends, and where strides leave inputs out, in steps. */
export function fusedConv3d({
  x,
  filter,
  bias,
  strides = 1,
  pad = 'same',
  activation = 'relu',
}: FusedConvolution): Tensor5D {
  const steps = typeof strides === 'number' ? [strides, strides, strides] : strides;
  const leavesOut = steps.some((stride, axis) => stride > filter.shape[axis]!);
  if (leavesOut || !onSimdBackend(x, filter, bias)) {
    const sum = tf.add<Tensor5D>(tf.conv3d(x, filter, strides, pad), bias);
    return activation === 'relu' ? tf.relu(sum) : sum;
  }
  const attributes = { strides, pad, relu: activation === 'relu' };
  return tf.engine().runKernel(CONVOLUTION, { x, filter, bias }, attributes);
}
