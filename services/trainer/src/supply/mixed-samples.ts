import { mixLabels, sampleTransform, type AugmentationSettings } from '@lunastream/augmentation';
import { mixupPartners, NO_PARTNER, type Candidate } from '@lunastream/dataset';
import type { PlannedSample } from './sample-source.ts';

/** The samples of a training epoch and what the engine is told about them. */
export interface MixedSamples {
  readonly samples: readonly PlannedSample[];
  /** Probability of a nodule by ordinal: between 0 and 1 where a partner of another class is mixed in. */
  readonly labels: Float32Array;
}

/**
 * Gives the nodules among `candidates` their partners, and every ordinal its soft label. The weight of a pair is drawn
 * here as the worker draws it, from the sample's key.
 */
export function mixSamplesOfEpoch(
  candidates: readonly Candidate[],
  key: { readonly runSeed: number; readonly epoch: number },
  augmentation: AugmentationSettings,
): MixedSamples {
  const partners = mixupPartners({ samples: candidates, ...key });
  const labelOf = (ordinal: number) => Number(candidates[ordinal]!.isNodule);
  const labels = Float32Array.from(candidates, (_, ordinal) => {
    const partner = partners[ordinal]!;
    if (partner === NO_PARTNER) return labelOf(ordinal);
    const { mixupLambda } = sampleTransform(augmentation, { ...key, ordinal });
    return mixLabels(labelOf(ordinal), labelOf(partner), mixupLambda);
  });
  const samples = candidates.map(({ seriesUid, centerXyzMm }, ordinal) => {
    const partner = partners[ordinal]!;
    return { seriesUid, centerXyzMm, partnerOrdinal: partner === NO_PARTNER ? undefined : partner };
  });
  return { samples, labels };
}
