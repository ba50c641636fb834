/** Softmax cross entropy with its gradient in one pass over the logits: `softmaxCrossEntropy`. */
import tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor2D, TensorInfo } from '@tensorflow/tfjs';
import { callKernel } from '../simd/kernel-calls.ts';
import { onSimdBackend, registerOwnKernel, type KernelCallArguments } from './replaced-kernel.ts';

const CROSS_ENTROPY = 'SimdSoftmaxCrossEntropy';
/** Rows of one task. */
const TASK_ROWS = 256;

function crossEntropy({ inputs, backend }: KernelCallArguments): TensorInfo[] {
  const { labels, logits } = inputs as { labels: TensorInfo; logits: TensorInfo };
  const [rows, classes] = logits.shape as [number, number];
  const losses = backend.makeShared([rows]);
  const slopes = backend.makeShared([rows, classes]);
  const call = callKernel('softmaxCrossEntropy', {
    ...{ rows, classes, taskRows: TASK_ROWS, losses: losses.address, slopes: slopes.address },
    logits: backend.addressOf(logits),
    labels: backend.addressOf(labels),
  });
  backend.run([call], Math.ceil(rows / TASK_ROWS));
  return [losses.info, slopes.info];
}

export function registerCrossEntropy(): void {
  registerOwnKernel(CROSS_ENTROPY, crossEntropy);
  tf.registerGradient({
    kernelName: CROSS_ENTROPY,
    outputsToSave: [false, true],
    gradFunc: (dy, [slopes]) => {
      const [atLoss] = dy as Tensor1D[];
      return {
        logits: () => tf.mul(slopes!, tf.expandDims(atLoss!, 1)),
        labels: () => {
          throw new Error(
            'Cannot differentiate softmaxCrossEntropy: only logits have a gradient, got labels',
          );
        },
      };
    },
  });
}

/**
 * Cross entropy in nats, `[rows]`, of the softmax of `logits` `[rows, classes]` against the probabilities `labels` of the
 * same shape. Differentiable by the logits. On other backends in steps.
 */
export function softmaxCrossEntropy(labels: Tensor2D, logits: Tensor2D): Tensor1D {
  tf.util.assertShapesMatch(labels.shape, logits.shape, 'softmaxCrossEntropy: ');
  if (!onSimdBackend(labels, logits)) {
    return tf.neg(tf.sum<Tensor1D>(tf.mul(labels, tf.logSoftmax(logits)), 1));
  }
  const [losses] = tf.engine().runKernel<Tensor[]>(CROSS_ENTROPY, { labels, logits });
  return losses as Tensor1D;
}
