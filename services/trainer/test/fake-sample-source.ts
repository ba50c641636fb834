import { voxelCount } from '@lunastream/volume';
import type { SamplePlan, SampleSource } from '../src/sample-source.ts';

/**
 * Samples without workers. As of the real ones, a sample's voxels follow from its plan alone: the centre's x, and what
 * seed, epoch and ordinal add where the plan asks for noise.
 */
export class FakeSampleSource implements SampleSource {
  readonly plans: SamplePlan[] = [];
  /** What `borderFraction` answers. */
  border = 0;
  /** What `waitingFor` answers. */
  waiting: string | undefined;
  /** Called before every sample; may wait, or throw. */
  onSample: (plan: SamplePlan, ordinal: number, signal: AbortSignal) => void | Promise<void> = () =>
    undefined;

  async *stream(plan: SamplePlan, signal: AbortSignal): AsyncGenerator<Float32Array, void, undefined> {
    this.plans.push(plan);
    for (const [ordinal, { centerXyzMm }] of plan.samples.entries()) {
      signal.throwIfAborted();
      await this.onSample(plan, ordinal, signal);
      const noiseHu = plan.augmentation.noiseHu * ((plan.runSeed + 7 * plan.epoch + 13 * ordinal) % 5);
      yield new Float32Array(voxelCount(plan.chunkShape)).fill(centerXyzMm[0] + noiseHu);
    }
  }

  borderFraction(): number {
    return this.border;
  }

  waitingFor(): string | undefined {
    return this.waiting;
  }
}
