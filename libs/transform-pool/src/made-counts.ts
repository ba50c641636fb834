import type { MadeSample } from './transform-messages.ts';

/** Counts what a process makes, since it started. Telemetry reads the counts and is told of every sample. */
export class MadeCounts {
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

  /** Counts a sample of `voxelCount` voxels. */
  noteSample({ borderFraction, tookMs }: MadeSample, voxelCount: number): void {
    this.sampleCount++;
    this.voxelCount += voxelCount;
    this.borderVoxelCount += Math.round(borderFraction * voxelCount);
    this.onSampleMade?.(tookMs);
  }

  noteFailure(): void {
    this.failureCount++;
  }

  /** Counts `chunks` as queued until `making` settles, and a failure when it rejects. */
  async follow<Made>(
    chunks: readonly { readonly byteLength: number }[],
    making: () => Promise<Made>,
  ): Promise<Made> {
    const queuedBytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.queuedBytes += queuedBytes;
    try {
      return await making();
    } catch (error) {
      this.noteFailure();
      throw error;
    } finally {
      this.queuedBytes -= queuedBytes;
    }
  }
}
