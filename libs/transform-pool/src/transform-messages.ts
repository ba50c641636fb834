import type { AugmentationSettings, SampleKey, SampleVoxelType } from '@lunastream/augmentation';
import type { Shape } from '@lunastream/volume';

/** One of the chunks that a sample is made from, and the key of its draws. */
export interface TransformSource {
  /** int16 HU of the source shape, C order. Handed over: the buffer comes back with the answer. */
  readonly voxels: ArrayBuffer;
  readonly key: SampleKey;
}

/** What is asked of a transform thread. */
export interface TransformJob {
  readonly sourceShape: Shape;
  readonly sampleShape: Shape;
  readonly augmentation: AugmentationSettings;
  readonly voxelType: SampleVoxelType;
  readonly source: TransformSource;
  /** Mixed into the sample by the weight that the sample's key draws; absent for none. */
  readonly partner?: TransformSource | undefined;
}

/** A job on its way to a thread. */
export interface TransformCall extends TransformJob {
  readonly id: number;
}

/** A sample that was made. */
export interface MadeSample {
  /** HU of the sample shape, C order, in the type that was asked for: float16 as its bit patterns. */
  readonly voxels: ArrayBuffer;
  /** Share of voxels that repeat the source's border, 0..1; of the sample itself, not of its partner. */
  readonly borderFraction: number;
}

/** What a thread answers. */
export type TransformAnswer = { readonly id: number; readonly spent: readonly ArrayBuffer[] } & (
  { readonly made: MadeSample } | { readonly error: unknown }
);
