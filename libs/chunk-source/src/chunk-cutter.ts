import { chunkKey, type TieredChunkStore } from '@lunastream/chunk-store';
import type { Dataset, SeriesEntry } from '@lunastream/dataset';
import {
  BadImageError,
  containsIrc,
  formatShape,
  MissingImageError,
  readGrownChunk,
  xyzToIrc,
  type ChunkExtent,
  type VolumeReader,
  type XyzMm,
} from '@lunastream/volume';
import { ChunkFaultError } from './errors.ts';
import type { VolumePool } from './volume-pool.ts';

/** Serves chunks of a data set: from the store where it has them, else cut from the scan. */
export class ChunkCutter {
  readonly #store: TieredChunkStore;
  readonly #volumes: VolumePool;

  constructor(store: TieredChunkStore, volumes: VolumePool) {
    this.#store = store;
    this.#volumes = volumes;
  }

  /**
   * The chunk of `extent` around `centerXyzMm`: int16 HU clipped to [-1000, 1000], C order. The caller must not change it.
   * @throws ChunkFaultError when the scan is unknown, the centre lies outside it, or its file is damaged.
   */
  async getChunk(
    dataset: Dataset,
    seriesUid: string,
    centerXyzMm: XyzMm,
    extent: ChunkExtent,
  ): Promise<Int16Array> {
    const series = dataset.series.get(seriesUid);
    if (series === undefined) {
      throw new ChunkFaultError('not-found', `Cannot cut a chunk: the data set has no scan ${seriesUid}`);
    }
    const key = chunkKey({ datasetFingerprint: dataset.fingerprint, seriesUid, centerXyzMm, extent });
    return this.#store.getOrCut(key, () => this.#cut(series, centerXyzMm, extent));
  }

  async #cut(series: SeriesEntry, centerXyzMm: XyzMm, extent: ChunkExtent): Promise<Int16Array> {
    const centerIrc = xyzToIrc(series.geometry, centerXyzMm);
    if (!containsIrc(series.geometry.shape, centerIrc)) {
      throw new ChunkFaultError(
        'out-of-range',
        `Cannot cut a chunk: centre irc ${centerIrc.join(',')} lies outside scan ${series.seriesUid} ` +
          `of ${formatShape(series.geometry.shape)} voxels`,
      );
    }
    try {
      return await this.#volumes.use(series, (reader: VolumeReader) =>
        readGrownChunk(reader, centerIrc, extent),
      );
    } catch (error) {
      if (!isScanFault(error)) throw error;
      throw new ChunkFaultError('data-loss', error.message, { cause: error });
    }
  }
}

/** Whether the scan's files are to blame, or the disk they lie on; anything else is a bug. */
function isScanFault(error: unknown): error is Error {
  if (error instanceof BadImageError || error instanceof MissingImageError) return true;
  return error instanceof Error && 'syscall' in error;
}
