import { RandomPurpose, RandomStream } from '@lunastream/random';

/**
 * What the draws of one scan are for. Each stage has a stream of its own, so that e.g. one more nodule leaves the
 * anatomy and the noise as they were. Values are part of every data set's bytes: add, never renumber.
 */
export const PhantomStage = {
  geometry: 0,
  vessels: 1,
  nodules: 2,
  lookAlikes: 3,
  noise: 4,
  candidates: 5,
} as const;
export type PhantomStage = (typeof PhantomStage)[keyof typeof PhantomStage];

/** The stream of `stage` of scan `scanIndex` (from 0) in the data set of `seed`. */
export function stageStream(seed: number, scanIndex: number, stage: PhantomStage): RandomStream {
  return new RandomStream({
    runSeed: seed,
    epoch: scanIndex,
    ordinal: stage,
    purpose: RandomPurpose.phantom,
  });
}
