/**
 * Everything between a data set's place and a chunk in memory: reads data sets, keeps scans open, makes local copies of
 * those that cannot be read in windows, cuts chunks and keeps them in tiers. Knows no wire: the chunk-cache service
 * streams from it, and a process that needs no service uses it directly.
 */
import {
  LateChunkStore,
  LmdbChunkStore,
  MemoryChunkStore,
  TieredChunkStore,
  ValkeyChunkStore,
  type TierEvents,
  type TierStats,
} from '@lunastream/chunk-store';
import type { Dataset } from '@lunastream/dataset';
import {
  CountedFiles,
  openVolume,
  PlaceFiles,
  type ChunkExtent,
  type FileStore,
  type S3FilesOptions,
  type XyzMm,
} from '@lunastream/volume';
import { performance } from 'node:perf_hooks';
import { ChunkCutter } from './chunk-cutter.ts';
import { DatasetCatalog, type DatasetLocation, type OnDatasetRead } from './dataset-catalog.ts';
import { SeriesChangedError } from './errors.ts';
import { SeriesWatch } from './series-watch.ts';
import { VolumeCopies, type VolumeCopiesStats } from './volume-copies.ts';
import { VolumePool, type OpenSeries } from './volume-pool.ts';

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
  /** Folder of the local copies of scans, made when absent; undefined makes none. */
  readonly copyFolder?: string | undefined;
  /** Most bytes of copies. Default 50 GiB. */
  readonly copyLimitBytes?: number;
  /** Address of a Valkey or Redis server that caches share, `redis://…`; undefined for none. */
  readonly sharedStoreUrl?: string | undefined;
  /** How to reach buckets of `s3://` data sets. */
  readonly s3?: S3FilesOptions;
  /** How long what was seen of a scan's files is believed, ms; 0 looks at each chunk. Default 60,000. */
  readonly sourceCheckMs?: number;
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
  /** Local copies of scans; undefined when none are made. */
  readonly volumes: VolumeCopiesStats | undefined;
  /** Reads of scans and tables where they lie: system calls on files, requests to servers. */
  readonly sourceReadCount: number;
  readonly sourceReadBytes: number;
}

/** Chunks of data sets. */
export interface ChunkSource {
  /** The data set called `name`. Throws as `DatasetCatalog.get` does. */
  getDataset(name: string, fingerprint?: string): Promise<Dataset>;
  /** A chunk of it. Throws as `ChunkCutter.getChunk` does. */
  getChunk(dataset: Dataset, seriesUid: string, centerXyzMm: XyzMm, extent: ChunkExtent): Promise<Int16Array>;
  /** Makes sure that a chunk is kept for the next process. Throws as `ChunkCutter.keepChunk` does. */
  keepChunk(
    dataset: Dataset,
    seriesUid: string,
    centerXyzMm: XyzMm,
    extent: ChunkExtent,
  ): Promise<'kept' | 'cut'>;
  stats(): ChunkSourceStats;
  /** Waits until chunks are kept, and closes stores and scans. */
  close(): Promise<void>;
}

const DEFAULT_COPY_LIMIT_BYTES = 50 * 2 ** 30;
const DEFAULT_SOURCE_CHECK_MS = 60_000;

function openTiers(settings: ChunkSourceSettings, events: TierEvents): TieredChunkStore {
  const { memoryLimitBytes, storeFolder, storeLimitBytes, sharedStoreUrl } = settings;
  const stores = [
    new MemoryChunkStore({ limitBytes: memoryLimitBytes }),
    new LateChunkStore({
      tier: 'lmdb',
      limitBytes: storeLimitBytes,
      open: () => new LmdbChunkStore({ folder: storeFolder, limitBytes: storeLimitBytes }),
    }),
    ...(sharedStoreUrl === undefined ? [] : [new ValkeyChunkStore({ url: sharedStoreUrl })]),
  ];
  return new TieredChunkStore(stores, events);
}

/** Opens scans by their local copies where that pays. */
function createOpener(files: FileStore, copies: VolumeCopies | undefined): OpenSeries {
  return async (series) => {
    const copy = series.isWindowed ? undefined : await copies?.open(series);
    if (copy !== undefined) return copy;
    const reader = await openVolume(series.path, { files });
    if (reader.revision === series.revision) return reader;
    await reader.close();
    throw new SeriesChangedError(series.seriesUid);
  };
}

/**
 * Opens a chunk source. Data sets are read when first asked for.
 * @throws ChunkStoreOpenError when the folder of the lmdb tier cannot be used (a disk that is full is waited for), ChunkStoreSettingsError for limits that
 * have no meaning.
 */
export function openChunkSource(settings: ChunkSourceSettings, events: ChunkSourceEvents): ChunkSource {
  const { copyFolder, copyLimitBytes = DEFAULT_COPY_LIMIT_BYTES, s3 = {} } = settings;
  const files = new CountedFiles(new PlaceFiles({ s3 }));
  const store = openTiers(settings, events);
  const copies =
    copyFolder === undefined
      ? undefined
      : new VolumeCopies({ folder: copyFolder, limitBytes: copyLimitBytes, files, events });
  const volumes = new VolumePool({
    limitBytes: settings.volumeLimitBytes,
    open: createOpener(files, copies),
  });
  const catalog = new DatasetCatalog(settings.datasets, { onRead: events.onDatasetRead, files });
  const watch = new SeriesWatch({
    files,
    intervalMs: settings.sourceCheckMs ?? DEFAULT_SOURCE_CHECK_MS,
    nowMs: () => performance.now(),
  });
  const cutter = new ChunkCutter({ catalog, store, volumes, watch });
  return {
    getDataset: (name, fingerprint) => catalog.get(name, fingerprint),
    getChunk: cutter.getChunk.bind(cutter),
    keepChunk: cutter.keepChunk.bind(cutter),
    stats: () => ({
      tiers: store.stats(),
      cutChunkCount: store.cutCount,
      volumes: copies?.stats(),
      sourceReadCount: files.counts.readCount,
      sourceReadBytes: files.counts.readBytes,
    }),
    close: async () => {
      await store.close();
      await volumes.close();
    },
  };
}
