import { voxelCount } from '@lunastream/volume';
import type {
  SamplePlan,
  SampleSource,
  SampleSourceEvents,
  SampleStream,
} from '../src/supply/sample-source.ts';

/**
 * Samples without workers. As of the real ones, a sample's voxels follow from its plan alone: the centre's x, and what
 * seed, epoch and ordinal add where the plan asks for noise.
 */
export class FakeSampleSource implements SampleSource {
  runsBegun = 0;
  readonly plans: SamplePlan[] = [];
  /** Ordinals of each plan in the order in which they were made. */
  readonly made: number[][] = [];
  /** What the latest stream was opened with. */
  events: SampleSourceEvents | undefined;
  /** What `borderFraction` answers. */
  border = 0;
  /** What `waitingFor` answers. */
  waiting: string | undefined;
  /** Streams that were opened and are not closed. */
  openCount = 0;
  /** Called before every sample; may wait, or throw. */
  onSample: (plan: SamplePlan, ordinal: number, signal: AbortSignal) => void | Promise<void> = () =>
    undefined;

  beginRun(): void {
    this.runsBegun++;
  }

  open(plan: SamplePlan, events: SampleSourceEvents): SampleStream {
    this.plans.push(plan);
    this.events = events;
    this.openCount++;
    const made: number[] = [];
    this.made.push(made);
    const closed = new AbortController();
    const gone = new Promise<never>((_, reject) =>
      closed.signal.addEventListener('abort', () => reject(closed.signal.reason as Error)),
    );
    gone.catch(() => undefined);
    const sampleLength = voxelCount(plan.chunkShape);
    const write = async (first: number, target: Float32Array) => {
      for (let position = 0; position < target.length / sampleLength; position++) {
        const ordinal = first + position;
        closed.signal.throwIfAborted();
        await this.onSample(plan, ordinal, closed.signal);
        made.push(ordinal);
        const start = position * sampleLength;
        target.fill(this.#voxelOf(plan, ordinal), start, start + sampleLength);
      }
    };
    let written = Promise.resolve();
    return {
      fill: (first, target) => Promise.race([(written = written.then(() => write(first, target))), gone]),
      borderFraction: () => this.border,
      close: (reason) => {
        if (!closed.signal.aborted) this.openCount--;
        closed.abort(reason);
      },
    };
  }

  waitingFor(): string | undefined {
    return this.waiting;
  }

  #voxelOf({ samples, augmentation, runSeed, epoch }: SamplePlan, ordinal: number): number {
    const noiseHu = augmentation.noiseHu * ((runSeed + 7 * epoch + 13 * ordinal) % 5);
    return samples[ordinal]!.centerXyzMm[0] + noiseHu;
  }
}
