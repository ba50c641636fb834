import { RandomPurpose, RandomStream } from '@lunastream/random';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';
import { isIdentity, toAffineMatrix } from './affine-matrix.ts';
import { ChunkShapeError } from './errors.ts';
import { resample } from './resample.ts';
import type { SampleTransform } from './sample-transform.ts';

/**
 * Applies a drawn transform to a chunk: resamples, then adds noise (which is not clipped again, as in the chapter).
 * Deterministic: equal arguments give equal bytes on any machine.
 *
 * `voxelsHu` has shape [depth, height, width] in C order and is not changed; the result is a new array of that shape,
 * in HU. A transform that moves nothing returns the voxels exactly.
 * @throws ChunkShapeError when the number of voxels does not match `shape`.
 */
export function applyTransform(
  voxelsHu: Int16Array | Float32Array,
  shape: Shape,
  transform: SampleTransform,
): Float32Array {
  if (voxelsHu.length !== voxelCount(shape)) {
    throw new ChunkShapeError(formatShape(shape), voxelCount(shape), voxelsHu.length);
  }
  const matrix = toAffineMatrix(transform);
  const sample = isIdentity(matrix)
    ? Float32Array.from(voxelsHu)
    : resample(voxelsHu, shape, matrix, new Float32Array(voxelsHu.length));
  if (transform.noiseHu > 0) addNoise(sample, transform);
  return sample;
}

function addNoise(sample: Float32Array, { key, noiseHu }: SampleTransform): void {
  const stream = new RandomStream({ ...key, purpose: RandomPurpose.noise });
  for (let voxel = 0; voxel < sample.length; voxel++) sample[voxel]! += noiseHu * stream.gaussian();
}
