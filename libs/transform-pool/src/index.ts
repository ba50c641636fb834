export { MadeCounts } from './made-counts.ts';
export { makeSample } from './make-sample.ts';
export type { AtOnceMaker, SampleMaker } from './sample-maker.ts';
export { SharedBuffers } from './shared-buffers.ts';
export type {
  MadeSample,
  SampleKind,
  SampleLayout,
  TransformJob,
  TransformSource,
} from './transform-messages.ts';
export { TransformPool, type TransformPoolOptions } from './transform-pool.ts';
