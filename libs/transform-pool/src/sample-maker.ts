import type { MadeSample, TransformJob } from './transform-messages.ts';

/** What makes samples; who asks knows nothing of threads. */
export interface SampleMaker {
  /** Jobs under way that keep it busy; more only wait. */
  readonly capacity: number;
  make(job: TransformJob): Promise<MadeSample>;
  /** Takes the memory of a sample that nobody reads any more, for samples to come. */
  giveBack(buffer: ArrayBuffer): void;
}
