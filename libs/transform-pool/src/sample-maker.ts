import type { MadeSample, SampleKind, TransformJob } from './transform-messages.ts';

/** What makes samples; who asks knows nothing of threads. */
export interface SampleMaker {
  /** Jobs under way that keep it busy; more only wait. */
  readonly capacity: number;
  make(job: TransformJob): Promise<MadeSample>;
  /** Takes the memory of a sample that nobody reads any more, for samples to come. */
  giveBack(buffer: ArrayBuffer): void;
}

/** One that makes some samples while its caller waits, because handing them over takes longer. */
export interface AtOnceMaker extends SampleMaker {
  /** Whether samples of a kind, those without a partner, may be made at once. */
  makesAtOnce(kind: SampleKind): boolean;
  /** Makes a sample of such a kind; throws what making it threw. */
  makeAtOnce(job: TransformJob): MadeSample;
}
