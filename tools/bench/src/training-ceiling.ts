import { measureProductCeiling } from '@lunastream/engine/tensorflow';
import { measureFloatCeiling } from '@lunastream/engine/webgpu';
import type { Figures } from './suite.ts';

/** What can be measured of the device that an engine computes on. */
export interface CeilingMeasures {
  readonly webgpu: () => Promise<{ readonly teraflops: number; readonly gigabytesPerSecond: number }>;
  readonly tensorflow: () => Promise<{ readonly teraflops: number }>;
}

const MEASURES: CeilingMeasures = {
  webgpu: () => measureFloatCeiling(),
  tensorflow: () => measureProductCeiling(),
};

/**
 * What the device can do at most, and the share of it that `gflops` are: of float32 multiply-adds from registers with webgpu, of a
 * large matrix product with tensorflow. Both count operations of the network's definition: an algorithm that needs fewer may go
 * above.
 */
export async function ceilingFigures(
  engine: string,
  gflops: number,
  measures: CeilingMeasures = MEASURES,
): Promise<Figures> {
  if (engine === 'webgpu') {
    const { teraflops, gigabytesPerSecond } = await measures.webgpu();
    return { ...shareOf(gflops, teraflops), ceiling_gb_per_second: gigabytesPerSecond };
  }
  if (engine === 'tensorflow') return shareOf(gflops, (await measures.tensorflow()).teraflops);
  return { ceiling: `not measured for ${engine}: its kernels have a roofline in docs/engine.md` };
}

function shareOf(gflops: number, teraflops: number): Figures {
  return { ceiling_gflops: 1000 * teraflops, share_of_ceiling: gflops / (1000 * teraflops) };
}
