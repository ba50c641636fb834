/**
 * Everything between a data set's folder and a chunk in memory: reads data sets, keeps scans open, cuts chunks and keeps
 * them in tiers. Knows no wire: the chunk-cache service streams from it, and a process that needs no service uses it
 * directly.
 */
import {
  LmdbChunkStore,
  MemoryChunkStore,
  TieredChunkStore,
  type TierEvents,
  type TierStats,
} from '@lunastream/chunk-store';
import type { Dataset } from '@lunastream/dataset';
import type { ChunkExtent, XyzMm } from '@lunastream/volume';
import { ChunkCutter } from './chunk-cutter.ts';
import { DatasetCatalog, type DatasetLocation, type OnDatasetRead } from './dataset-catalog.ts';
import { VolumePool } from './volume-pool.ts';

export interface ChunkSourceSettings {
  readonly datasets: readonly DatasetLocation[];
  /** Folder of the lmdb tier, made when absent. */
  readonly storeFolder: string;
  /** Most bytes of chunks in memory. */
  readonly memoryLimitBytes: number;
  /** Most bytes of chunks in the lmdb tier. */
  readonly storeLimitBytes: number;
  /** Most bytes of decompressed scans in memory, those in use aside. */
  readonly volumeLimitBytes: number;
}

/** What is worth a line in a log. A tier that fails is passed over: the chunk comes from the next one, or from the scan. */
export interface ChunkSourceEvents extends TierEvents {
  readonly onDatasetRead?: OnDatasetRead;
}

/** Counters since the source was opened, and what it holds now. */
export interface ChunkSourceStats {
  /** Nearest tier first. */
  readonly tiers: readonly TierStats[];
  /** Chunks that no tier had. */
  readonly cutChunkCount: number;
}

/** Chunks of data sets. */
export interface ChunkSource {
  /** The data set called `name`. Throws as `DatasetCatalog.get` does. */
  getDataset(name: string, fingerprint?: string): Promise<Dataset>;
  /** A chunk of it. Throws as `ChunkCutter.getChunk` does. */
  getChunk(dataset: Dataset, seriesUid: string, centerXyzMm: XyzMm, extent: ChunkExtent): Promise<Int16Array>;
  stats(): ChunkSourceStats;
  /** Waits until chunks are kept, and closes stores and scans. */
  close(): Promise<void>;
}

/**
 * Opens a chunk source. Data sets are read when first asked for.
 * @throws ChunkStoreOpenError when the folder of the lmdb tier cannot be used, ChunkStoreSettingsError for limits that
 * have no meaning.
 */
export function openChunkSource(settings: ChunkSourceSettings, events: ChunkSourceEvents): ChunkSource {
  const memory = new MemoryChunkStore({ limitBytes: settings.memoryLimitBytes });
  const lmdb = new LmdbChunkStore({ folder: settings.storeFolder, limitBytes: settings.storeLimitBytes });
  const store = new TieredChunkStore([memory, lmdb], events);
  const volumes = new VolumePool({ limitBytes: settings.volumeLimitBytes });
  const catalog = new DatasetCatalog(settings.datasets, events.onDatasetRead);
  const cutter = new ChunkCutter(store, volumes);
  return {
    getDataset: (name, fingerprint) => catalog.get(name, fingerprint),
    getChunk: (dataset, seriesUid, centerXyzMm, extent) =>
      cutter.getChunk(dataset, seriesUid, centerXyzMm, extent),
    stats: () => ({ tiers: store.stats(), cutChunkCount: store.cutCount }),
    close: async () => {
      await store.close();
      await volumes.close();
    },
  };
}
