/** What training minimises: cross entropy, weighted by class, or focused on samples that are still wrong. */

/** Both optional changes of the plain cross entropy of chapter 12. */
export interface LossSettings {
  /** Weight of a positive against a negative, above 0; 1 weighs both alike. */
  readonly positiveWeight: number;
  /** Focal loss's gamma, at least 0: the weight of a sample is (1 - P(its class)) ^ gamma (Lin et al., 2017); 0: plain. */
  readonly focusing: number;
}

export const PLAIN_LOSS: LossSettings = { positiveWeight: 1, focusing: 0 };

/** Of one sample. */
export interface SampleLoss {
  /** Plain cross entropy in nats, whatever is trained: runs with different losses compare by it. */
  readonly loss: number;
  /** P(nodule), 0..1. */
  readonly probability: number;
  /** Derivative of the loss that is trained by the logits [not nodule, nodule]. */
  readonly logitGradient: readonly [number, number];
}

/**
 * The softmax of two logits against a label in 0..1 (the probability of being a nodule). Trained is, with weight w, gamma g
 * and p = P(nodule), -w · label · (1 - p)^g · ln p - (1 - label) · p^g · ln(1 - p).
 * Works on the difference of the logits, so that no exponential overflows: a loss of 800 nats stays 800.
 * The simd engine's head (kernels/sample.ts) does the same.
 */
export function sampleLoss(
  logits: readonly [number, number],
  label: number,
  { positiveWeight, focusing }: LossSettings = PLAIN_LOSS,
): SampleLoss {
  const margin = logits[1] - logits[0];
  const tail = Math.exp(-Math.abs(margin));
  // -ln P of the likelier class; the other's is larger by |margin|.
  const smallLoss = Math.log1p(tail);
  const negativeLoss = smallLoss + Math.max(margin, 0);
  const positiveLoss = smallLoss + Math.max(-margin, 0);
  const probability = (margin >= 0 ? 1 : tail) / (1 + tail);
  const others = (margin >= 0 ? tail : 1) / (1 + tail);
  const slope =
    focusing === 0 && positiveWeight === 1
      ? probability - label
      : (1 - label) * focalSlope({ ofClass: others, ofOther: probability, loss: negativeLoss }, focusing) -
        positiveWeight *
          label *
          focalSlope({ ofClass: probability, ofOther: others, loss: positiveLoss }, focusing);
  return {
    loss: (1 - label) * negativeLoss + label * positiveLoss,
    probability,
    logitGradient: [-slope, slope],
  };
}

/**
 * How fast a class's loss q^g · loss falls with its own logit, q the other class's probability: q^g · (q + g · p · loss).
 * From d ln p = q, d q = -p q.
 */
function focalSlope(
  { ofClass, ofOther, loss }: { readonly ofClass: number; readonly ofOther: number; readonly loss: number },
  focusing: number,
): number {
  return ofOther ** focusing * (ofOther + focusing * ofClass * loss);
}
