import { Augmenter } from '@lunastream/augmentation';
import { makeSample, type SampleMaker, type TransformJob } from '@lunastream/transform-pool';

/** Makes samples on the thread that asks, and remembers the jobs. */
export class InlineMaker implements SampleMaker {
  readonly capacity = 3;
  readonly jobs: TransformJob[] = [];
  readonly #augmenter = new Augmenter();

  takeBuffer(sizeBytes: number): ArrayBuffer {
    return new ArrayBuffer(sizeBytes);
  }

  async make(job: TransformJob) {
    this.jobs.push(job);
    await new Promise((resolve) => setImmediate(resolve));
    return makeSample(this.#augmenter, job);
  }
}
