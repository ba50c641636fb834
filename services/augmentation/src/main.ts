import { ChunkServiceClient, VOXELS_HEADROOM_BYTES } from '@lunastream/contracts';
import { AddressWatcher, runService } from '@lunastream/service-kit';
import { MadeCounts, SharedBuffers, TransformPool } from '@lunastream/transform-pool';
import { CachePods } from './cache-pods.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { settings } from './config.ts';
import { createHandlers } from './handlers.ts';
import { RawChunkMemory } from './raw-chunk-memory.ts';
import { observeWorker } from './telemetry.ts';

/** Chunks on their way through a worker that keeps none: 32 of 32×48×48 with margin. */
const IDLE_CHUNK_BYTES = 32 * 2 ** 20;

await runService(
  {
    name: 'augmentation',
    title:
      'lunastream augmentation: a stateless worker that turns leases of ordinals into transformed samples',
    settings,
    start: async (config, context) => {
      const pods = new CachePods({
        connect: ({ address, serverName }) => context.connect(ChunkServiceClient, address, serverName),
        onFailover: (sentence) => context.logger.warn(sentence),
        nowMs: () => performance.now(),
      });
      const addresses = await AddressWatcher.start({
        targets: config.chunkCacheAddresses,
        onChange: (servers) => {
          context.logger.info({ chunkCaches: servers.map(({ address }) => address) }, 'chunk caches');
          pods.setServers(servers);
        },
        onError: (sentence) => context.logger.warn(sentence),
      });
      const memory = new RawChunkMemory({
        limitBytes: config.chunkCacheBytes,
        buffers: new SharedBuffers({ limitBytes: IDLE_CHUNK_BYTES }),
      });
      const maker = new TransformPool({
        threads: config.threads,
        headroomBytes: VOXELS_HEADROOM_BYTES,
        withChecksum: true,
      });
      const parts = { chunks: new ChunkFetcher(pods, memory), maker, counts: new MadeCounts() };
      observeWorker(context.telemetry, { ...parts, memory });
      return {
        services: createHandlers(parts, context),
        close: async () => {
          context.logger.info(
            { samples: parts.counts, rawChunks: memory.stats() },
            'samples made, and chunks kept',
          );
          addresses.close();
          pods.close();
          await maker.close();
        },
      };
    },
  },
  process,
);
