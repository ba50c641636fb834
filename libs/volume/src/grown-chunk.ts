/**
 * Chunks with a margin: the window of a chunk, grown on all sides. A transform that turns or moves a chunk looks beyond
 * it; with a margin it finds tissue there. The chunk itself stays where it is without a margin, also at the border of
 * the scan, so a margin changes nothing but the corners.
 */
import { formatShape, irc, isSameShape, voxelCount, type Irc, type Shape } from './coordinates.ts';
import {
  AIR_HU,
  chunkWindow,
  completeChunk,
  overlapOnAxis,
  type BorderRule,
  type ChunkWindow,
} from './crop-chunk.ts';
import { BadChunkShapeError } from './errors.ts';
import type { VolumeReader } from './volume.ts';

/** What is cut around a centre: a chunk, and what it grows to. */
export interface ChunkExtent {
  readonly shape: Shape;
  /** `shape`, or larger by an even number of voxels along every axis. */
  readonly grownShape: Shape;
  /** What happens where the chunk would reach beyond the scan. Default `shift`. */
  readonly border?: BorderRule;
}

/**
 * Where a grown chunk lies: the window of `shape` around voxel `centerIrc` (`chunkWindow`), grown evenly to `grownShape`.
 * @throws BadChunkShapeError when an extent is no positive integer, or `grownShape` is smaller than `shape` or larger by
 * an odd number of voxels. @throws CentreOutsideVolumeError when `centerIrc` is no voxel of the volume.
 */
export function grownWindow(
  volumeShape: Shape,
  centerIrc: Irc,
  { shape, grownShape, border }: ChunkExtent,
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

/** Stands for a voxel that no scan has. */
const AIR = -1;

/**
 * For each voxel of a grown chunk along one axis, which voxel of the scan it shows, counted from `insideStart`, or `AIR`.
 * Beyond scan and chunk the last voxel is repeated.
 */
function sourcesOnAxis(axis: {
  readonly grownStart: number;
  readonly grownExtent: number;
  readonly margin: number;
  readonly volumeExtent: number;
  readonly insideStart: number;
}): Int32Array {
  const { grownStart, grownExtent, margin, volumeExtent, insideStart } = axis;
  const first = Math.min(0, grownStart + margin);
  const last = Math.max(volumeExtent, grownStart + grownExtent - margin) - 1;
  return Int32Array.from({ length: grownExtent }, (_, at) => {
    const voxel = Math.min(last, Math.max(first, grownStart + at));
    return voxel >= 0 && voxel < volumeExtent ? voxel - insideStart : AIR;
  });
}

/** Puts the part of a scan that a grown window has where it belongs; `inside` is clipped already. */
function spread(
  window: ChunkWindow,
  inside: Int16Array,
  volumeShape: Shape,
  { shape, grownShape }: ChunkExtent,
): Int16Array {
  const [slices, rows, columns] = (['depth', 'height', 'width'] as const).map((axis, at) =>
    sourcesOnAxis({
      grownStart: window.startIrc[at]!,
      grownExtent: grownShape[axis],
      margin: (grownShape[axis] - shape[axis]) / 2,
      volumeExtent: volumeShape[axis],
      insideStart: window.insideStartIrc[at]!,
    }),
  ) as [Int32Array, Int32Array, Int32Array];
  const grown = new Int16Array(voxelCount(grownShape)).fill(AIR_HU);
  const { height, width } = window.insideShape;
  let offset = 0;
  for (const slice of slices) {
    for (const row of rows) {
      const line = grown.subarray(offset, (offset += columns.length));
      if (slice === AIR || row === AIR) continue;
      const start = (slice * height + row) * width;
      spreadLine(inside.subarray(start, start + width), columns, line);
    }
  }
  return grown;
}

function spreadLine(from: Int16Array, columns: Int32Array, to: Int16Array): void {
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at]!;
    if (column !== AIR) to[at] = from[column]!;
  }
}

/**
 * Reads the chunk of `extent` around voxel `centerIrc`: HU clipped to `CHUNK_HU_RANGE`, C order, of `grownShape`. Its
 * middle is the chunk of `shape`, air beyond the scan included; a margin beyond the scan repeats the nearest voxel, so
 * that the way to the scan's border cannot be told from it. Only the rows it needs are read. Throws as `grownWindow` and
 * `readWindow` do.
 */
export async function readGrownChunk(
  reader: VolumeReader,
  centerIrc: Irc,
  extent: ChunkExtent,
): Promise<Int16Array> {
  const { shape } = reader.geometry;
  const window = grownWindow(shape, centerIrc, extent);
  const { insideStartIrc, insideShape } = window;
  const voxelsHu = await reader.readWindow(insideStartIrc, insideShape);
  const inside = completeChunk({ ...window, startIrc: insideStartIrc, chunkShape: insideShape }, voxelsHu);
  return isSameShape(insideShape, extent.grownShape) ? inside : spread(window, inside, shape, extent);
}
