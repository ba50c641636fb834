import { RandomPurpose, RandomStream } from '@lunastream/random';
import { voxelCount, type Shape } from '@lunastream/volume';

/** A chunk of random HU in -1000..1000, always the same: the hardest to interpolate. */
export function makeChunk(shape: Shape): Int16Array {
  const stream = new RandomStream({ runSeed: 1, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Int16Array.from({ length: voxelCount(shape) }, () => stream.integerBelow(2001) - 1000);
}

/** The box of `shape` in the middle of a chunk that is larger by even numbers of voxels. */
export function extractMiddle(voxels: Int16Array, sourceShape: Shape, shape: Shape): Int16Array {
  const offset = (axis: keyof Shape) => (sourceShape[axis] - shape[axis]) / 2;
  return Int16Array.from({ length: voxelCount(shape) }, (_, at) => {
    const index = Math.floor(at / (shape.height * shape.width)) + offset('depth');
    const row = (Math.floor(at / shape.width) % shape.height) + offset('height');
    const column = (at % shape.width) + offset('width');
    return voxels[(index * sourceShape.height + row) * sourceShape.width + column]!;
  });
}
