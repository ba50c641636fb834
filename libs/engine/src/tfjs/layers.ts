/** ReLU, max pool and bias sums for one sample `[depth, height, width, channels]`, with their gradients. */
import tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor4D, Tensor5D } from '@tensorflow/tfjs';

/**
 * Largest value of each 2x2x2 box; odd sides drop their last plane, as in PyTorch. In two steps, because tfjs 4.22's
 * MaxPool3D on wasm starts each maximum at the smallest positive float: a box of zeros comes out as 1.2e-38.
 */
export function maxPool(x: Tensor4D): Tensor4D {
  const inSlices = tf.maxPool(x, 2, 2, 'valid');
  const [slices, height, width, channels] = inSlices.shape;
  const depth = Math.floor(slices / 2);
  const size = height * width * channels;
  const even = tf.slice(inSlices, [0, 0, 0, 0], [2 * depth, -1, -1, -1]);
  const [front, back] = tf.split(tf.reshape(even, [depth, 2, size]), 2, 1);
  return tf.reshape(tf.maximum(front!, back!), [depth, height, width, channels]);
}

const POOL_SIDES: [number, number, number] = [2, 2, 2];

/**
 * Gradient at the pool's input, which must not be negative (the same start value): each output's goes to one of its
 * largest inputs. Which one of equals never matters behind a ReLU: they are zeros, and its own gradient there is zero.
 */
export function maxPoolGradient(input: Tensor4D, output: Tensor4D, outputGradient: Tensor4D): Tensor4D {
  const inputs = {
    dy: tf.expandDims(outputGradient, 0),
    input: tf.expandDims(input, 0),
    output: tf.expandDims(output, 0),
  };
  const attributes = { filterSize: POOL_SIDES, strides: POOL_SIDES, pad: 'valid' };
  const gradient: Tensor5D = tf.engine().runKernel(tf.MaxPool3DGrad, inputs, attributes);
  return tf.squeeze(gradient, [0]);
}

/** Gradient before a ReLU, from its output: zero where the output is zero. */
export function reluGradient(output: Tensor4D, outputGradient: Tensor4D): Tensor4D {
  return tf.mul(outputGradient, tf.step(output));
}

/** Gradient of a bias: per channel the sum over all voxels. */
export function biasGradient(outputGradient: Tensor4D): Tensor1D {
  return tf.sum(tf.reshape(outputGradient, [-1, outputGradient.shape[3]]), 0);
}
