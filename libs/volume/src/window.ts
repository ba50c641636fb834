import { irc, voxelCount, type Irc, type Shape } from './coordinates.ts';

/** @throws RangeError when the box of `shape` at `start` is empty or does not lie inside a volume of `volumeShape`. */
export function assertInside(volumeShape: Shape, start: Irc, shape: Shape): void {
  const axes = [
    [start[0], shape.depth, volumeShape.depth],
    [start[1], shape.height, volumeShape.height],
    [start[2], shape.width, volumeShape.width],
  ] as const;
  for (const [first, extent, limit] of axes) {
    if (!Number.isSafeInteger(extent) || extent < 1 || first < 0 || first + extent > limit) {
      throw new RangeError(
        `Cannot read a window: on each axis it must lie in 0..size, got ${first}..${first + extent} of ${limit}`,
      );
    }
  }
}

// Slabs of this size keep memory flat while a scan is copied, and reads few.
const SLAB_BYTES = 16_777_216;

/** The slabs of whole slices that make up a volume, in order: each a box and where it starts. */
export function* slabsOf(shape: Shape): Generator<{ readonly start: Irc; readonly shape: Shape }> {
  const sliceBytes = voxelCount({ ...shape, depth: 1 }) * Int16Array.BYTES_PER_ELEMENT;
  const slices = Math.max(1, Math.floor(SLAB_BYTES / sliceBytes));
  for (let first = 0; first < shape.depth; first += slices) {
    yield { start: irc(first, 0, 0), shape: { ...shape, depth: Math.min(slices, shape.depth - first) } };
  }
}
