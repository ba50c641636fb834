import { voxelCount, type Shape } from '@lunastream/volume';
import { Augmenter } from './augmenter.ts';
import type { SampleTransform } from './sample-transform.ts';

/** This thread's; its memory grows to the largest chunk that was transformed. */
let augmenter: Augmenter | undefined;

/**
 * Applies a drawn transform to a chunk and returns the sample as a new array, in HU: `Augmenter.apply` for those who
 * don't recycle buffers. Deterministic: equal arguments give equal bytes on any machine.
 *
 * `voxelsHu` has `shape`, [depth, height, width] in C order, and is not changed. A `sampleShape` smaller than `shape`
 * takes the sample from the middle of the chunk, and its corners from the margin. Throws as `Augmenter.apply` does.
 */
export function applyTransform(
  voxelsHu: Int16Array | Float32Array,
  shape: Shape,
  transform: SampleTransform,
  sampleShape: Shape = shape,
): Float32Array {
  augmenter ??= new Augmenter();
  const voxels = new Float32Array(voxelCount(sampleShape));
  augmenter.apply({ voxelsHu, shape }, transform, { voxels, shape: sampleShape });
  return voxels;
}
