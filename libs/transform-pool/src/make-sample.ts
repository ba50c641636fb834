import { IDENTITY_MATRIX, mixSamples, sampleTransform, type Augmenter } from '@lunastream/augmentation';
import { voxelCount } from '@lunastream/volume';
import type { MadeSample, TransformJob, TransformSource } from './transform-messages.ts';

/**
 * Makes one sample: draws its transform, applies it, and mixes its partner in, where it has one. A partner is the sample
 * of its own key, so both of a pair are what they would be alone. Rounding to float16 comes last.
 */
export function makeSample(augmenter: Augmenter, job: TransformJob): MadeSample {
  const { sampleShape: shape, sourceShape, augmentation, source, partner, voxelType } = job;
  const length = voxelCount(shape);
  const make = ({ voxels, key }: TransformSource, sample: Float32Array | Uint16Array) => {
    const transform = sampleTransform(augmentation, key);
    const chunk = { voxelsHu: new Int16Array(voxels), shape: sourceShape };
    const { borderFraction } = augmenter.apply(chunk, transform, { voxels: sample, shape });
    return { borderFraction, lambda: transform.mixupLambda };
  };
  const sample = voxelType === 'float16' ? new Uint16Array(length) : new Float32Array(length);
  if (partner === undefined) {
    const { borderFraction } = make(source, sample);
    return { voxels: sample.buffer, borderFraction };
  }
  const [own, other] = [new Float32Array(length), new Float32Array(length)];
  const { borderFraction, lambda } = make(source, own);
  make(partner, other);
  mixSamples(own, other, lambda, own);
  // Moves nothing: copies, and rounds where float16 is asked for.
  augmenter.resample({ voxelsHu: own, shape }, IDENTITY_MATRIX, { voxels: sample, shape });
  return { voxels: sample.buffer, borderFraction };
}
