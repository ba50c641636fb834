import { loadDataset, type Candidate, type Dataset } from '@lunastream/dataset';
import {
  formatShape,
  openVolume,
  PlaceFiles,
  readGrownChunk,
  xyzToIrc,
  type ChunkExtent,
  type FileStore,
  type Shape,
  type VolumeGeometry,
} from '@lunastream/volume';
import { CommandError } from './errors.ts';

/** A data set read where it lies, without services: for commands that look at single samples. */
export class LocalDataset {
  readonly #dataset: Dataset;
  readonly #files: FileStore;

  private constructor(dataset: Dataset, files: FileStore) {
    this.#dataset = dataset;
    this.#files = files;
  }

  /** Reads tables and headers of a LUNA16 folder. @throws DatasetError naming file and line. */
  static async open(folder: string): Promise<LocalDataset> {
    const files = new PlaceFiles();
    return new LocalDataset(await loadDataset(folder, { files }), files);
  }

  get fingerprint(): string {
    return this.#dataset.fingerprint;
  }

  get folder(): string {
    return this.#dataset.dir;
  }

  /** Where the voxels of a series lie. */
  geometryOf(seriesUid: string): VolumeGeometry {
    const series = this.#dataset.series.get(seriesUid);
    if (series === undefined) throw new Error(`internal: candidate of the unknown series ${seriesUid}`);
    return series.geometry;
  }

  /** Usable candidates in the book's order: label, diameter, series uid, centre, all descending. */
  get candidates(): readonly Candidate[] {
    return this.#dataset.candidates;
  }

  /** The candidate at `index` of the list. @throws CommandError with the length of the list. */
  candidateAt(index: number): Candidate {
    const candidate = this.candidates[index];
    if (candidate === undefined) {
      throw new CommandError(
        `Cannot find candidate ${index}: the data set has candidates 0..${this.candidates.length - 1}`,
      );
    }
    return candidate;
  }

  /**
   * Cuts the chunk of `extent` around a candidate, as the chunk cache does: int16 HU, [depth, height, width].
   */
  async readChunk({ seriesUid, centerXyzMm }: Candidate, extent: ChunkExtent): Promise<Int16Array> {
    const series = this.#dataset.series.get(seriesUid);
    if (series === undefined) throw new Error(`internal: candidate of the unknown series ${seriesUid}`);
    const reader = await openVolume(series.path, { files: this.#files });
    try {
      return await readGrownChunk(reader, xyzToIrc(series.geometry, centerXyzMm), extent);
    } finally {
      await reader.close();
    }
  }
}

/** "nodule of 7.3 mm in series … at (1.0, 2.0, 3.0) mm". */
export function describeCandidate({ isNodule, diameterMm, seriesUid, centerXyzMm }: Candidate): string {
  const size = diameterMm > 0 ? ` of ${diameterMm.toFixed(1)} mm` : '';
  const centre = centerXyzMm.map((value) => value.toFixed(1)).join(', ');
  return `${isNodule ? `nodule${size}` : 'no nodule'} in series ${seriesUid} at (${centre}) mm`;
}

/** The middle slice of a chunk: [height, width] in HU. */
export function middleSlice(voxelsHu: Int16Array | Float32Array, shape: Shape): Float32Array {
  const sliceVoxels = shape.height * shape.width;
  if (voxelsHu.length !== shape.depth * sliceVoxels) {
    throw new Error(`internal: ${voxelsHu.length} voxels are not ${formatShape(shape)}`);
  }
  const start = (shape.depth >> 1) * sliceVoxels;
  return Float32Array.from(voxelsHu.subarray(start, start + sliceVoxels));
}
