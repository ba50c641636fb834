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
  type XyzMm,
} from '@lunastream/volume';
import type { DatasetCatalog } from './dataset-catalog.ts';
import { ChunkFaultError, CorruptCopyError, DatasetFaultError, SeriesChangedError } from './errors.ts';
import type { SeriesWatch } from './series-watch.ts';
import type { VolumePool } from './volume-pool.ts';

export interface ChunkCutterParts {
  readonly catalog: DatasetCatalog;
  readonly store: TieredChunkStore;
  readonly volumes: VolumePool;
  readonly watch: SeriesWatch;
}

/** A chunk that is wanted. */
interface Wanted {
  readonly series: SeriesEntry;
  readonly centerXyzMm: XyzMm;
  readonly extent: ChunkExtent;
}

/** Serves chunks of a data set: from the store where it has them, else cut from the scan. */
export class ChunkCutter {
  readonly #parts: ChunkCutterParts;

  constructor(parts: ChunkCutterParts) {
    this.#parts = parts;
  }

  /**
   * The chunk of `extent` around `centerXyzMm`: int16 HU clipped to [-1000, 1000], C order. The caller must not change it.
   * A scan whose files changed is cut as it is now where that leaves the data set's fingerprint as it was.
   * @throws ChunkFaultError when the scan is unknown, the centre lies outside it, or its file is damaged or another one.
   */
  async getChunk(
    dataset: Dataset,
    seriesUid: string,
    centerXyzMm: XyzMm,
    extent: ChunkExtent,
  ): Promise<Int16Array> {
    const { store } = this.#parts;
    return this.#withCurrent(dataset, seriesUid, (series) =>
      store.getOrCut(keyOf(dataset, { series, centerXyzMm, extent }), () =>
        this.#cut({ series, centerXyzMm, extent }),
      ),
    );
  }

  /** Cuts the chunk unless a tier that outlives this process has it; returns when it is kept. Throws as `getChunk` does. */
  async keepChunk(
    dataset: Dataset,
    seriesUid: string,
    centerXyzMm: XyzMm,
    extent: ChunkExtent,
  ): Promise<'kept' | 'cut'> {
    const { store } = this.#parts;
    return this.#withCurrent(dataset, seriesUid, (series) =>
      store.ensureKept(keyOf(dataset, { series, centerXyzMm, extent }), () =>
        this.#cut({ series, centerXyzMm, extent }),
      ),
    );
  }

  /** Runs `work` with the scan, and once more with what the scan is now when it changed. */
  async #withCurrent<Result>(
    dataset: Dataset,
    seriesUid: string,
    work: (series: SeriesEntry) => Promise<Result>,
  ): Promise<Result> {
    const series = seriesOf(dataset, seriesUid);
    if (!(await this.#parts.watch.isCurrent(series))) return work(await this.#renew(dataset, seriesUid));
    try {
      return await work(series);
    } catch (error) {
      if (!(error instanceof SeriesChangedError)) throw error;
      return work(await this.#renew(dataset, seriesUid));
    }
  }

  async #renew(dataset: Dataset, seriesUid: string): Promise<SeriesEntry> {
    const message = `Cannot cut a chunk: scan ${seriesUid} changed since the data set was read`;
    try {
      const renewed = await this.#parts.catalog.renew(dataset);
      if (renewed.fingerprint === dataset.fingerprint) return seriesOf(renewed, seriesUid);
      const now = `the data set's fingerprint is now ${renewed.fingerprint}, got ${dataset.fingerprint}`;
      throw new ChunkFaultError('data-loss', `${message}, ${now}`);
    } catch (error) {
      if (!(error instanceof DatasetFaultError)) throw error;
      throw new ChunkFaultError('data-loss', `${message}. ${error.message}`, { cause: error });
    }
  }

  async #cut(wanted: Wanted, attempts = 2): Promise<Int16Array> {
    const { series, centerXyzMm, extent } = wanted;
    const centerIrc = xyzToIrc(series.geometry, centerXyzMm);
    if (!containsIrc(series.geometry.shape, centerIrc)) {
      throw new ChunkFaultError(
        'out-of-range',
        `Cannot cut a chunk: centre irc ${centerIrc.join(',')} lies outside scan ${series.seriesUid} ` +
          `of ${formatShape(series.geometry.shape)} voxels`,
      );
    }
    try {
      return await this.#parts.volumes.use(series, (reader) => readGrownChunk(reader, centerIrc, extent));
    } catch (error) {
      if (error instanceof CorruptCopyError && attempts > 1) return this.#cut(wanted, attempts - 1);
      if (!isScanFault(error)) throw error;
      // A file that changed while it was open is cut as it is now; another fault is the scan's.
      if (!(await this.#parts.watch.look(series))) throw new SeriesChangedError(series.seriesUid);
      throw new ChunkFaultError('data-loss', error.message, { cause: error });
    }
  }
}

function keyOf(dataset: Dataset, { series, centerXyzMm, extent }: Wanted): string {
  return chunkKey({
    datasetFingerprint: dataset.fingerprint,
    seriesUid: series.seriesUid,
    seriesRevision: series.revision,
    centerXyzMm,
    extent,
  });
}

function seriesOf(dataset: Dataset, seriesUid: string): SeriesEntry {
  const series = dataset.series.get(seriesUid);
  if (series !== undefined) return series;
  throw new ChunkFaultError('not-found', `Cannot cut a chunk: the data set has no scan ${seriesUid}`);
}

/** Whether the scan's files are to blame, or the disk they lie on; anything else is a bug. */
function isScanFault(error: unknown): error is Error {
  if (error instanceof BadImageError || error instanceof MissingImageError) return true;
  return error instanceof Error && ('syscall' in error || error instanceof CorruptCopyError);
}
