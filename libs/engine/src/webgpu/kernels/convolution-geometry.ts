/** Shapes of a 3-D convolution, and how big the pieces are that a workgroup computes. */

export type Sides = readonly [depth: number, height: number, width: number];

/** Arrays are `[samples, depth, height, width, channels]`, filters `[depth, height, width, in, out]`, C order. */
export interface ConvolutionGeometry {
  readonly samples: number;
  readonly input: Sides;
  readonly output: Sides;
  readonly filter: Sides;
  readonly strides: Sides;
  /** Zeros before each axis. */
  readonly padding: Sides;
  readonly inputs: number;
  readonly outputs: number;
}

export const volume = ([depth, height, width]: Sides): number => depth * height * width;
export const taps = ({ filter }: ConvolutionGeometry): number => volume(filter);
export const vec3 = ([depth, height, width]: Sides): string => `vec3<i32>(${depth}, ${height}, ${width})`;

/**
 * How a workgroup's tile of an implicit matrix product is divided. A thread keeps `rowsPerThread` x `columnsPerThread` sums in
 * registers; the operands of `depth` products at a time lie in workgroup memory.
 */
export interface TileShape {
  readonly threads: number;
  readonly rowsPerThread: number;
  /** A multiple of 4. */
  readonly columnsPerThread: number;
  /** Columns of the tile: a multiple of `columnsPerThread`. */
  readonly columns: number;
  readonly depth: number;
}

/** Rows of a tile. */
export function tileRows({ threads, rowsPerThread, columnsPerThread, columns }: TileShape): number {
  return (threads * rowsPerThread * columnsPerThread) / columns;
}

const LARGEST_COLUMNS = 64;
const FEWEST_THREADS = 32;
/** Two for each multiprocessor of an H200. */
const FEWEST_WORKGROUPS = 264;

/** Columns of a tile: 4, 8, 16, 32 or 64. */
function tileColumns(columns: number): number {
  return Math.min(LARGEST_COLUMNS, Math.max(4, 2 ** Math.ceil(Math.log2(columns))));
}

/**
 * For output positions x output channels. Made for an H200 (132 multiprocessors, 64 K registers and up to 227 KiB of shared
 * memory each): 32 to 64 sums in registers for each 12 to 16 values read from workgroup memory, 10 to 20 KiB of it, so that
 * several workgroups share a multiprocessor. Untuned: no such GPU was at hand.
 */
export function convolutionTile(columns: number, positions: number): TileShape {
  const wide = tileColumns(columns);
  const columnsPerThread = wide > 16 ? 8 : 4;
  const rowsPerThread = wide > 4 ? 8 : 4;
  let tile: TileShape = { threads: 128, rowsPerThread, columnsPerThread, columns: wide, depth: 8 };
  const workgroups = () => Math.ceil(positions / tileRows(tile)) * Math.ceil(columns / wide);
  // Few positions are spread over more multiprocessors, down to a warp each. The order of sums stays as it is.
  while (tile.threads > FEWEST_THREADS && workgroups() < FEWEST_WORKGROUPS) {
    tile = { ...tile, threads: tile.threads / 2 };
  }
  return tile;
}

/** For filter rows (tap and input channel) x output channels; `depth` is a number of positions. */
export function filterGradientTile(columns: number): TileShape {
  const wide = tileColumns(columns);
  const columnsPerThread = wide > 16 ? 8 : 4;
  const rowsPerThread = wide > 8 ? 8 : 4;
  return { threads: 64, rowsPerThread, columnsPerThread, columns: wide, depth: 16 };
}
