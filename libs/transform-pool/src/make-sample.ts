import { mixSamples, sampleTransform, type Augmenter } from '@lunastream/augmentation';
import { voxelCount } from '@lunastream/volume';
import type { MadeSample, TransformJob, TransformSource } from './transform-messages.ts';

/**
 * Makes one sample: draws its transform, applies it, and mixes its partner in, where it has one. A partner is the sample
 * of its own key, so both of a pair are what they would be alone.
 */
export function makeSample(augmenter: Augmenter, job: TransformJob): MadeSample {
  const { sampleShape, sourceShape, augmentation } = job;
  const make = ({ voxels, key }: TransformSource) => {
    const transform = sampleTransform(augmentation, key);
    const sample = new Float32Array(voxelCount(sampleShape));
    const source = { voxelsHu: new Int16Array(voxels), shape: sourceShape };
    const { borderFraction } = augmenter.apply(source, transform, { voxels: sample, shape: sampleShape });
    return { sample, borderFraction, lambda: transform.mixupLambda };
  };
  const { sample, borderFraction, lambda } = make(job.source);
  if (job.partner !== undefined) mixSamples(sample, make(job.partner).sample, lambda, sample);
  return { voxels: sample.buffer, borderFraction };
}
