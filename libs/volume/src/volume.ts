import type { Irc, Shape } from './coordinates.ts';
import type { VolumeGeometry } from './geometry.ts';

/** A whole scan in memory. */
export interface Volume {
  readonly geometry: VolumeGeometry;
  /** Hounsfield units, unclipped, C order [index, row, column]; as many as `geometry.shape` says. */
  readonly voxelsHu: Int16Array;
}

/** A scan opened for reading parts of it. */
export interface VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  /** Tells the files' content from any other they had or will have, as `ByteSource.revision` does. */
  readonly revision: string;
  /** Memory that the reader holds until it is closed: 0 for a file read in parts, the voxels for a compressed one. */
  readonly residentBytes: number;
  /**
   * The box of `shape` voxels that starts at `start`: HU, unclipped, C order, a new array. Voxels of other types are
   * rounded half to even and clamped to int16. Calls may overlap in time.
   * @throws RangeError when the box is not inside the volume.
   * @throws BadImageError when the file changed since it was opened, or a voxel is NaN or infinite.
   */
  readWindow(start: Irc, shape: Shape): Promise<Int16Array>;
  /** Frees file and memory; reads that are under way may fail. */
  close(): Promise<void>;
}
