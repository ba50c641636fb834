import { Augmenter } from '@lunastream/augmentation';
import { VOXELS_HEADROOM_BYTES } from '@lunastream/contracts';
import { makeSample, type SampleMaker, type TransformJob } from '@lunastream/transform-pool';

const SCRIBBLE = 0xa5;

/** Makes samples on the thread that asks, and remembers the jobs. Memory given back is scribbled over at once. */
export class InlineMaker implements SampleMaker {
  readonly capacity = 3;
  readonly jobs: TransformJob[] = [];
  givenBackCount = 0;
  readonly #augmenter = new Augmenter();

  async make(job: TransformJob) {
    this.jobs.push(job);
    await new Promise((resolve) => setImmediate(resolve));
    return makeSample(this.#augmenter, job, { headroomBytes: VOXELS_HEADROOM_BYTES, withChecksum: true });
  }

  giveBack(buffer: ArrayBuffer): void {
    this.givenBackCount++;
    new Uint8Array(buffer).fill(SCRIBBLE);
  }
}
