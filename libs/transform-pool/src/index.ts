export { makeSample } from './make-sample.ts';
export type { SampleMaker } from './sample-maker.ts';
export type { MadeSample, TransformJob, TransformSource } from './transform-messages.ts';
export { TransformPool, type TransformPoolOptions } from './transform-pool.ts';
