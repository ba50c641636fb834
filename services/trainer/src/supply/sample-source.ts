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

/** What a source tells while it works. */
export interface SampleSourceEvents {
  /** Something that people should know and that the run survives: one sentence. */
  warn(sentence: string): void;
  /** Runs `ask`, which asks a worker for samples from `firstOrdinal` on: whoever traces batches knows whose they are. */
  ask<Result>(firstOrdinal: number, ask: () => Result): Result;
}

/** Where samples come from; training knows nothing of workers or the wire. Several streams may be open. */
export interface SampleSource {
  /** Called when a run begins: what was held against anyone in earlier runs is forgotten. */
  beginRun(): void;
  /** Opens the samples of `plan`; those of streams opened before are made first. */
  open(plan: SamplePlan, events: SampleSourceEvents): SampleStream;
  /** What the source waits for, for people; undefined while samples flow. */
  waitingFor(): string | undefined;
}

/** The samples of one plan, written wherever they are wanted. */
export interface SampleStream {
  /**
   * Writes the samples from `firstOrdinal` on into `target`, which holds a whole number of them: [count, depth, height,
   * width] in C order, HU. Resolves once all are there; each was made exactly once, or is dropped. Until then nobody else
   * may touch `target`. Ordinals are asked for in order, without gaps; what is asked for is what may be under way, so
   * whoever asks bounds the bytes.
   *
   * Rejects with SampleUnavailableError when a sample cannot be made, with the reason of `close` when it was closed.
   */
  fill(firstOrdinal: number, target: Float32Array): Promise<void>;
  /** Mean share of voxels that repeat the border of their chunk, 0..1, over the samples written so far. */
  borderFraction(): number;
  /** Ends what is under way; nothing is written after it. Repeatable. */
  close(reason: Error): void;
}
