/** Batches of volumes with borders of zeros, as the convolution kernels want them. */
import { callKernel } from '../simd/kernel-calls.ts';
import { FLOAT_BYTES, type VolumeSteps } from '../simd/volumes.ts';
import type { SimdBackend } from './simd-backend.ts';

export type Triple = readonly [depth: number, height: number, width: number];

export const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** Floats in shared memory. */
export interface SharedArray {
  readonly shape: readonly number[];
  readonly address: number;
}

/** Samples with a border of zeros: where they go, and where the first position inside the border is. */
export interface PaddedSteps extends VolumeSteps {
  readonly depth: number;
}

/** Room for `sides` positions. `before` are those of the border in front of each axis. */
export function paddedSteps(sides: Triple, before: Triple, channels: number): PaddedSteps {
  const step = channels * FLOAT_BYTES;
  const row = sides[2] * step;
  const plane = sides[1] * row;
  const inner = before[0] * plane + before[1] * row + before[2] * step;
  return { step, row, plane, inner, depth: sides[0], size: roundUp(sides[0] * plane, 64) };
}

/** Copies samples `[samples, depth, height, width, channels]` into their bordered volumes, `spread` positions apart. */
export function padSamples(
  backend: SimdBackend,
  { shape, address: from }: SharedArray,
  { to, steps, spread }: { readonly to: number; readonly steps: PaddedSteps; readonly spread: Triple },
): void {
  const [samples, depth, height, width, channels] = shape as [number, number, number, number, number];
  const call = callKernel('pad', {
    ...{ from, depth, height, width },
    positionBytes: channels * FLOAT_BYTES,
    to: to + steps.inner,
    padded: to,
    paddedBytes: steps.size,
    toPlane: spread[0] * steps.plane,
    toRow: spread[1] * steps.row,
    toStep: spread[2] * steps.step,
  });
  backend.run([call], samples);
}
