import type { MadeSample, TransformJob } from './transform-messages.ts';

/** What makes samples; the handlers know nothing of threads. */
export interface SampleMaker {
  /** Jobs under way that keep it busy; more only wait. */
  readonly capacity: number;
  /** A buffer for the int16 voxels of a source chunk. Its contents are arbitrary. */
  takeBuffer(sizeBytes: number): ArrayBuffer;
  /** Makes a sample. The job's buffers are handed over. */
  make(job: TransformJob): Promise<MadeSample>;
}
