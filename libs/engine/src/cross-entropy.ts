/** Loss of one sample and what follows from the same softmax. */
export interface CrossEntropy {
  /** In nats. */
  readonly loss: number;
  /** P(nodule), 0..1. */
  readonly probability: number;
  /** Derivative of the loss by the logits [not nodule, nodule]. */
  readonly logitGradient: readonly [number, number];
}

/**
 * Cross entropy of the softmax of two logits against a label in 0..1 (the probability of being a nodule).
 * Works on the difference of the logits, so that no exponential overflows: a loss of 800 nats stays 800.
 */
export function crossEntropy(logits: readonly [number, number], label: number): CrossEntropy {
  const margin = logits[1] - logits[0];
  const tail = Math.exp(-Math.abs(margin));
  // -ln P of the likelier class; the other's is larger by |margin|.
  const smallLoss = Math.log1p(tail);
  const negativeLoss = smallLoss + Math.max(margin, 0);
  const positiveLoss = smallLoss + Math.max(-margin, 0);
  const probability = (margin >= 0 ? 1 : tail) / (1 + tail);
  const slope = probability - label;
  return {
    loss: (1 - label) * negativeLoss + label * positiveLoss,
    probability,
    logitGradient: [-slope, slope],
  };
}
