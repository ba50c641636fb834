/**
 * Mixup (Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond empirical risk minimization", ICLR 2018): a sample and its
 * label are replaced by a weighted mean with those of a partner. Who the partner is, the epoch plan says; the weight is
 * `mixupLambda` of the sample's transform.
 */
import { MixupError } from './errors.ts';

function assertWeight(lambda: number): void {
  if (!(lambda >= 0 && lambda <= 1)) throw new MixupError('lambda must be in 0..1', lambda);
}

/**
 * Writes lambda · sample + (1 - lambda) · partner into `out` (a new array unless given; may be either input) and returns
 * it. Both are finished samples of one shape, in HU.
 * @throws MixupError when lengths differ or lambda is not in 0..1.
 */
export function mixSamples(
  sample: Float32Array,
  partner: Float32Array,
  lambda: number,
  out: Float32Array = new Float32Array(sample.length),
): Float32Array {
  assertWeight(lambda);
  if (partner.length !== sample.length || out.length !== sample.length) {
    throw new MixupError(
      `partner and result must have ${sample.length} voxels`,
      `${partner.length} and ${out.length}`,
    );
  }
  const rest = 1 - lambda;
  for (let voxel = 0; voxel < out.length; voxel++) {
    out[voxel] = lambda * sample[voxel]! + rest * partner[voxel]!;
  }
  return out;
}

/**
 * The soft label lambda · label + (1 - lambda) · partner; labels are probabilities of a nodule.
 * @throws MixupError when a label or lambda is not in 0..1.
 */
export function mixLabels(label: number, partner: number, lambda: number): number {
  assertWeight(lambda);
  for (const value of [label, partner]) {
    if (!(value >= 0 && value <= 1)) throw new MixupError('labels must be in 0..1', value);
  }
  return lambda * label + (1 - lambda) * partner;
}
