import type { AugmentationSettings, SampleKey, SampleVoxelType } from '@lunastream/augmentation';
import type { Shape } from '@lunastream/volume';

/** One of the chunks that a sample is made from, and the key of its draws. */
export interface TransformSource {
  /** int16 HU of the source shape, C order; unchanged until the sample is made. Copied to the thread unless shared. */
  readonly voxels: ArrayBuffer | SharedArrayBuffer;
  readonly key: SampleKey;
}

/** What many samples have in common. */
export interface SampleKind {
  readonly sourceShape: Shape;
  readonly sampleShape: Shape;
  readonly augmentation: AugmentationSettings;
  readonly voxelType: SampleVoxelType;
}

/** What is asked of a transform thread. */
export interface TransformJob extends SampleKind {
  readonly source: TransformSource;
  /** Mixed into the sample by the weight that the sample's key draws; absent for none. */
  readonly partner?: TransformSource | undefined;
}

/** How samples are laid out for whoever sends them. */
export interface SampleLayout {
  /** Bytes left free in front of the voxels, a multiple of 4. */
  readonly headroomBytes: number;
  /** Whether samples are told with their checksum. */
  readonly withChecksum: boolean;
}

/** A job on its way to a thread. */
export interface TransformCall {
  readonly id: number;
  readonly job: TransformJob;
  readonly layout: SampleLayout;
  /** Memory for the sample, handed over; absent lets the thread take new memory. */
  readonly buffer: ArrayBuffer | undefined;
}

/** A sample that was made. */
export interface MadeSample {
  /** Headroom, then HU of the sample shape, C order, in the type that was asked for: float16 as its bit patterns. */
  readonly buffer: ArrayBuffer;
  /** Share of voxels that repeat the source's border, 0..1; of the sample itself, not of its partner. */
  readonly borderFraction: number;
  /** Checksum of the voxels' bytes, as `VoxelInspector` takes it; 0 when it was not asked for. */
  readonly checksum: number;
  /** Time that making it took, waiting excluded. */
  readonly tookMs: number;
}

/** What a thread answers. */
export type TransformAnswer = { readonly id: number } & (
  { readonly made: MadeSample } | { readonly error: unknown }
);
