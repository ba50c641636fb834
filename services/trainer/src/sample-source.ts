import type { AugmentationSettings, SampleVoxelType } from '@lunastream/augmentation';
import type { BorderRule, Shape, XyzMm } from '@lunastream/volume';

/** A sample of a plan. */
export interface PlannedSample {
  readonly seriesUid: string;
  readonly centerXyzMm: XyzMm;
  /** Ordinal of the sample that is mixed into this one; undefined for none. */
  readonly partnerOrdinal?: number | undefined;
}

/** The samples of one epoch and split; the position in `samples` is the ordinal that keys the random numbers. */
export interface SamplePlan {
  readonly dataset: string;
  readonly datasetFingerprint: string;
  readonly runSeed: number;
  readonly epoch: number;
  readonly chunkShape: Shape;
  readonly augmentation: AugmentationSettings;
  /** Makes samples from larger chunks, so that they repeat no border. */
  readonly margin: boolean;
  /** How samples travel; float16 rounds their voxels. */
  readonly voxelType: SampleVoxelType;
  /** What happens to chunks that would reach beyond their scan. */
  readonly border: BorderRule;
  readonly samples: readonly PlannedSample[];
}

/** Where samples come from; training knows nothing of workers or the wire. */
export interface SampleSource {
  /**
   * The voxels of every sample of `plan`, each exactly once, in ordinal order: [depth, height, width] in C order, HU.
   * Rejects with SampleUnavailableError when a sample cannot be made, with the signal's reason when it aborts.
   */
  stream(plan: SamplePlan, signal: AbortSignal): AsyncIterable<Float32Array>;
  /** Mean share of voxels that repeat the border of their chunk, 0..1, over the samples of the latest stream. */
  borderFraction(): number;
  /** What the source waits for, for people; undefined while samples flow. */
  waitingFor(): string | undefined;
}
