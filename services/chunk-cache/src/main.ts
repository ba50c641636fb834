import { LmdbChunkStore, MemoryChunkStore, TieredChunkStore } from '@lunastream/chunk-store';
import { runService } from '@lunastream/service-kit';
import { ChunkCutter } from './chunk-cutter.ts';
import { settings } from './config.ts';
import { DatasetCatalog } from './dataset-catalog.ts';
import { createHandlers } from './handlers.ts';
import { VolumePool } from './volume-pool.ts';

await runService(
  {
    name: 'chunk-cache',
    title: 'lunastream chunk-cache: cuts chunks from CT scans, keeps them, streams them',
    settings,
    start: (config, context) => {
      const memory = new MemoryChunkStore({ limitBytes: config.memoryLimitBytes });
      const lmdb = new LmdbChunkStore({ folder: config.storeFolder, limitBytes: config.storeLimitBytes });
      const store = new TieredChunkStore([memory, lmdb], (tier, error) =>
        context.logger.error({ err: error, tier }, `tier ${tier} failed; serving from the next`),
      );
      const volumes = new VolumePool({ limitBytes: config.volumeLimitBytes });
      const catalog = new DatasetCatalog(config.datasets, context.logger);
      const cutter = new ChunkCutter(store, volumes);
      return Promise.resolve({
        services: createHandlers({ catalog, cutter, store }, context),
        close: async () => {
          await store.close();
          await volumes.close();
        },
      });
    },
  },
  process,
);
