import { Augmenter } from '@lunastream/augmentation';
import { VOXELS_HEADROOM_BYTES } from '@lunastream/contracts';
import {
  makeSample,
  type AtOnceMaker,
  type MadeSample,
  type SampleKind,
  type TransformJob,
} from '@lunastream/transform-pool';

const SCRIBBLE = 0xa5;

/** Makes samples on the thread that asks, and remembers the jobs. Memory given back is scribbled over at once. */
export class InlineMaker implements AtOnceMaker {
  readonly capacity = 3;
  readonly jobs: TransformJob[] = [];
  /** Jobs of `makeAtOnce`. */
  readonly jobsAtOnce: TransformJob[] = [];
  /** What `makesAtOnce` answers. */
  isAtOnce: (kind: SampleKind) => boolean = () => false;
  givenBackCount = 0;
  readonly #augmenter = new Augmenter();

  async make(job: TransformJob) {
    this.jobs.push(job);
    await new Promise((resolve) => setImmediate(resolve));
    return this.#make(job);
  }

  makesAtOnce(kind: SampleKind): boolean {
    return this.isAtOnce(kind);
  }

  makeAtOnce(job: TransformJob): MadeSample {
    this.jobsAtOnce.push(job);
    return this.#make(job);
  }

  giveBack(buffer: ArrayBuffer): void {
    this.givenBackCount++;
    new Uint8Array(buffer).fill(SCRIBBLE);
  }

  #make(job: TransformJob): MadeSample {
    return makeSample(this.#augmenter, job, { headroomBytes: VOXELS_HEADROOM_BYTES, withChecksum: true });
  }
}
