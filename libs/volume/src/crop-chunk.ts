/**
 * Cutting the dense box around a candidate. By default the window is shifted inside the volume at its borders, so the
 * candidate may be off centre but every voxel is real (chapter12-facts 1.4). Where an axis of the volume is shorter than
 * the chunk no shift can help: the chunk keeps its shape, the volume lies in its middle (the odd voxel of padding goes
 * behind), and the rest is air. The book's program wraps around there and returns a smaller chunk (facts B2).
 * With `pad-air` nothing is shifted: the candidate is always in the middle, and what lies beyond the volume is air.
 */
import { irc, isSameShape, voxelCount, type Irc, type Shape } from './coordinates.ts';
import { BadChunkShapeError, CentreOutsideVolumeError } from './errors.ts';
import { containsIrc } from './geometry.ts';
import { roundHalfEven } from './round-half-even.ts';
import type { Volume } from './volume.ts';

/** What chunks are clipped to, as in the book: below is air and padding of scanners, above is metal and dense bone. */
export const CHUNK_HU_RANGE = { minimum: -1000, maximum: 1000 } as const;

/** What stands where a chunk reaches beyond a volume. */
export const AIR_HU = -1000;

/** What happens to a chunk that would reach beyond the volume: moved inside, or filled up with air. */
export type BorderRule = (typeof BORDER_RULES)[number];

/** Every border rule; the first is the default, the book's. */
export const BORDER_RULES = ['shift', 'pad-air'] as const;

/** A chunk's place in a volume. */
export interface ChunkWindow {
  /** The chunk's first voxel in the volume; negative on axes where the chunk starts before it. */
  readonly startIrc: Irc;
  readonly chunkShape: Shape;
  /** The part of the chunk that the volume has: its first voxel, in the volume, and its extent. */
  readonly insideStartIrc: Irc;
  readonly insideShape: Shape;
}

function startOnAxis(center: number, chunkExtent: number, volumeExtent: number, border: BorderRule): number {
  const centred = roundHalfEven(center - chunkExtent / 2);
  if (border === 'pad-air') return centred;
  if (volumeExtent < chunkExtent) return -Math.floor((chunkExtent - volumeExtent) / 2) + 0;
  return Math.min(Math.max(centred, 0), volumeExtent - chunkExtent);
}

/** First voxel and extent of what an axis of the volume and an axis of the chunk have in common. */
export function overlapOnAxis(
  start: number,
  chunkExtent: number,
  volumeExtent: number,
): readonly [number, number] {
  const first = Math.max(0, start);
  return [first, Math.min(volumeExtent, start + chunkExtent) - first];
}

/**
 * Where the chunk of `chunkShape` around voxel `centerIrc` lies: per axis start = round half to even(centre - extent/2);
 * with `shift` moved inside the volume, and on an axis thinner than the chunk the volume is centred in the chunk. The
 * centre is in the chunk, save for an odd centre and a chunk of one voxel: the book's rounding then takes the voxel
 * before it.
 * @throws BadChunkShapeError when an extent is not a positive integer.
 * @throws CentreOutsideVolumeError when `centerIrc` is no voxel of the volume.
 */
export function chunkWindow(
  volumeShape: Shape,
  centerIrc: Irc,
  chunkShape: Shape,
  border: BorderRule = 'shift',
): ChunkWindow {
  const extents = [chunkShape.depth, chunkShape.height, chunkShape.width];
  if (!extents.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw new BadChunkShapeError(chunkShape);
  }
  if (!containsIrc(volumeShape, centerIrc)) throw new CentreOutsideVolumeError(centerIrc, volumeShape);
  const startIrc = irc(
    startOnAxis(centerIrc[0], chunkShape.depth, volumeShape.depth, border),
    startOnAxis(centerIrc[1], chunkShape.height, volumeShape.height, border),
    startOnAxis(centerIrc[2], chunkShape.width, volumeShape.width, border),
  );
  const [index, depth] = overlapOnAxis(startIrc[0], chunkShape.depth, volumeShape.depth);
  const [row, height] = overlapOnAxis(startIrc[1], chunkShape.height, volumeShape.height);
  const [column, width] = overlapOnAxis(startIrc[2], chunkShape.width, volumeShape.width);
  return {
    startIrc,
    chunkShape,
    insideStartIrc: irc(index, row, column),
    insideShape: { depth, height, width },
  };
}

/** A dense box of voxels, C order. */
export interface Box {
  readonly voxels: Int16Array;
  readonly shape: Shape;
}

/** Copies `extent` voxels from `from` (starting at `fromStart`) to `to` (starting at `toStart`), row by row. */
export function copyBox(from: Box, fromStart: Irc, to: Box, placement: { start: Irc; extent: Shape }): void {
  const { start: toStart, extent } = placement;
  for (let index = 0; index < extent.depth; index++) {
    for (let row = 0; row < extent.height; row++) {
      const fromRow = (fromStart[0] + index) * from.shape.height + fromStart[1] + row;
      const fromOffset = fromRow * from.shape.width + fromStart[2];
      const toRow = (toStart[0] + index) * to.shape.height + toStart[1] + row;
      const toOffset = toRow * to.shape.width + toStart[2];
      to.voxels.set(from.voxels.subarray(fromOffset, fromOffset + extent.width), toOffset);
    }
  }
}

function clipInPlace(voxelsHu: Int16Array): Int16Array {
  const { minimum, maximum } = CHUNK_HU_RANGE;
  for (let offset = 0; offset < voxelsHu.length; offset++) {
    const hu = voxelsHu[offset]!;
    if (hu < minimum) voxelsHu[offset] = minimum;
    else if (hu > maximum) voxelsHu[offset] = maximum;
  }
  return voxelsHu;
}

/**
 * Turns the voxels of a window's inside part (HU, C order) into its chunk: clipped to `CHUNK_HU_RANGE`, padded with air.
 * Takes over `insideVoxelsHu`: it is clipped in place, and is the result where nothing is padded.
 */
export function completeChunk(window: ChunkWindow, insideVoxelsHu: Int16Array): Int16Array {
  const { startIrc, chunkShape, insideShape, insideStartIrc } = window;
  clipInPlace(insideVoxelsHu);
  if (isSameShape(chunkShape, insideShape)) return insideVoxelsHu;
  const chunk = new Int16Array(voxelCount(chunkShape)).fill(AIR_HU);
  const start = irc(
    insideStartIrc[0] - startIrc[0],
    insideStartIrc[1] - startIrc[1],
    insideStartIrc[2] - startIrc[2],
  );
  copyBox(
    { voxels: insideVoxelsHu, shape: insideShape },
    irc(0, 0, 0),
    { voxels: chunk, shape: chunkShape },
    {
      start,
      extent: insideShape,
    },
  );
  return chunk;
}

/** A copy of the box of `extent` voxels that starts at `start`, C order. The box must lie inside `from`. */
export function extractBox(from: Box, start: Irc, extent: Shape): Int16Array {
  const box: Box = { voxels: new Int16Array(voxelCount(extent)), shape: extent };
  copyBox(from, start, box, { start: irc(0, 0, 0), extent });
  return box.voxels;
}

/**
 * The chunk of `chunkShape` around voxel `centerIrc`: HU clipped to `CHUNK_HU_RANGE`, C order, a new array. Shifted at
 * borders and padded with air as `chunkWindow` says, so always of `chunkShape`. Throws as `chunkWindow` does.
 */
export function cropChunk(
  volume: Volume,
  centerIrc: Irc,
  chunkShape: Shape,
  border: BorderRule = 'shift',
): Int16Array {
  const { shape } = volume.geometry;
  const window = chunkWindow(shape, centerIrc, chunkShape, border);
  const inside = extractBox({ voxels: volume.voxelsHu, shape }, window.insideStartIrc, window.insideShape);
  return completeChunk(window, inside);
}
