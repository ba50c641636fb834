import type { Batch } from './engine.ts';
import { InvalidBatchError } from './errors.ts';
import type { ChunkShape } from './luna-model.ts';

/**
 * Refuses what would read past an array.
 * @throws InvalidBatchError naming the first fault.
 */
export function assertBatchShape(
  { voxelsHu, labels, count }: Batch,
  { depth, height, width }: ChunkShape,
): void {
  if (!Number.isInteger(count) || count < 1) throw new InvalidBatchError('count must be 1 or more', count);
  const size = depth * height * width;
  if (voxelsHu.length !== count * size) {
    throw new InvalidBatchError(
      `voxelsHu must hold ${count} x ${depth} x ${height} x ${width} = ${count * size} voxels`,
      voxelsHu.length,
    );
  }
  if (labels.length !== count) throw new InvalidBatchError(`labels must hold ${count} values`, labels.length);
  const badLabel = labels.findIndex((label) => !(label >= 0 && label <= 1));
  if (badLabel >= 0) {
    throw new InvalidBatchError(`label of sample ${badLabel} must be in 0..1`, labels[badLabel]!);
  }
}

/**
 * Refuses what would poison the weights: one NaN voxel would make every parameter NaN.
 * @throws InvalidBatchError naming the first such voxel.
 */
export function assertFiniteVoxels({ voxelsHu, count }: Batch): void {
  if (areFinite(voxelsHu)) return;
  const badVoxel = voxelsHu.findIndex((hu) => !Number.isFinite(hu));
  const size = voxelsHu.length / count;
  throw new InvalidBatchError(
    `voxel ${badVoxel % size} of sample ${Math.floor(badVoxel / size)} must be finite`,
    voxelsHu[badVoxel]!,
  );
}

const EXPONENT = 0x7f80_0000;
const LOWEST_EXPONENT_BIT = 0x0080_0000;

/**
 * Of floats that are not finite every bit of the exponent is set: one more carries into the sign. Bits, because a GPU takes
 * a batch in milliseconds and every voxel of it passes here; a callback for each took 25 times as long.
 */
export function areFinite({ buffer, byteOffset, length }: Float32Array): boolean {
  const bits = new Int32Array(buffer, byteOffset, length);
  let carries = 0;
  for (let index = 0; index < length; index++) carries |= (bits[index]! & EXPONENT) + LOWEST_EXPONENT_BIT;
  return carries >= 0;
}
