/**
 * Chunks with a margin: the window of a chunk, grown on all sides. A transform that turns or moves a chunk looks beyond
 * it; with a margin it finds tissue there. The chunk itself stays where it is without a margin, also at the border of
 * the scan, so a margin changes nothing but the corners.
 */
import { formatShape, irc, type Irc, type Shape } from './coordinates.ts';
import {
  chunkWindow,
  completeChunk,
  overlapOnAxis,
  type BorderRule,
  type ChunkWindow,
} from './crop-chunk.ts';
import { BadChunkShapeError } from './errors.ts';
import type { VolumeReader } from './volume.ts';

/** How much is cut: a chunk, and what it grows to. */
export interface ChunkExtent {
  readonly shape: Shape;
  /** `shape`, or larger by an even number of voxels along every axis. */
  readonly grownShape: Shape;
}

/**
 * Where a grown chunk lies: the window of `shape` around voxel `centerIrc` (`chunkWindow`), grown evenly to `grownShape`.
 * @throws BadChunkShapeError when an extent is no positive integer, or `grownShape` is smaller than `shape` or larger by
 * an odd number of voxels. @throws CentreOutsideVolumeError when `centerIrc` is no voxel of the volume.
 */
export function grownWindow(
  volumeShape: Shape,
  centerIrc: Irc,
  { shape, grownShape }: ChunkExtent,
  border: BorderRule = 'shift',
): ChunkWindow {
  const { startIrc } = chunkWindow(volumeShape, centerIrc, shape, border);
  const grow = (axis: 'depth' | 'height' | 'width', start: number) => {
    const margin = grownShape[axis] - shape[axis];
    if (!(margin >= 0 && margin % 2 === 0)) {
      throw new BadChunkShapeError(
        grownShape,
        `be ${formatShape(shape)} or larger by even numbers of voxels`,
      );
    }
    const grownStart = start - margin / 2;
    return { start: grownStart, inside: overlapOnAxis(grownStart, grownShape[axis], volumeShape[axis]) };
  };
  const [index, row, column] = [
    grow('depth', startIrc[0]),
    grow('height', startIrc[1]),
    grow('width', startIrc[2]),
  ];
  return {
    startIrc: irc(index.start, row.start, column.start),
    chunkShape: grownShape,
    insideStartIrc: irc(index.inside[0], row.inside[0], column.inside[0]),
    insideShape: { depth: index.inside[1], height: row.inside[1], width: column.inside[1] },
  };
}

/**
 * Reads the chunk of `extent` around voxel `centerIrc`: HU clipped to `CHUNK_HU_RANGE`, air beyond the scan, C order, of
 * `grownShape`. Only the rows it needs are read. Throws as `grownWindow` and `readWindow` do.
 */
export async function readGrownChunk(
  reader: VolumeReader,
  centerIrc: Irc,
  extent: ChunkExtent,
  border: BorderRule = 'shift',
): Promise<Int16Array> {
  const window = grownWindow(reader.geometry.shape, centerIrc, extent, border);
  return completeChunk(window, await reader.readWindow(window.insideStartIrc, window.insideShape));
}
