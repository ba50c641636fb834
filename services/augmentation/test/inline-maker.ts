import { Augmenter } from '@lunastream/augmentation';
import { makeSample } from '../src/make-sample.ts';
import type { SampleMaker } from '../src/sample-maker.ts';
import type { TransformJob } from '../src/transform-messages.ts';

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
