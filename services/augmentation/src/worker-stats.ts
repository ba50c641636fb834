import type { MadeSample } from '@lunastream/transform-pool';

/** Counts what a worker does, since it started. Telemetry reads the counts and is told of every sample. */
export class WorkerStats {
  sampleCount = 0;
  /** Samples that could not be made: their chunk failed, or a thread did. */
  failureCount = 0;
  voxelCount = 0;
  /** Voxels that repeat the border of their chunk. */
  borderVoxelCount = 0;
  /** Bytes of chunks handed to threads whose samples are not made yet. */
  queuedBytes = 0;
  /** Told, for each sample, how long its thread took. */
  onSampleMade: ((tookMs: number) => void) | undefined;

  noteSample({ borderFraction, tookMs }: MadeSample, voxelCount: number): void {
    this.sampleCount++;
    this.voxelCount += voxelCount;
    this.borderVoxelCount += Math.round(borderFraction * voxelCount);
    this.onSampleMade?.(tookMs);
  }

  noteFailure(): void {
    this.failureCount++;
  }
}
