import { ChunkServiceClient } from '@lunastream/contracts';
import { runService } from '@lunastream/service-kit';
import { TransformPool } from '@lunastream/transform-pool';
import { settings } from './config.ts';
import { createHandlers } from './handlers.ts';

await runService(
  {
    name: 'augmentation',
    title:
      'lunastream augmentation: a stateless worker that turns leases of ordinals into transformed samples',
    settings,
    start: (config, context) => {
      const chunkCache = context.connect(ChunkServiceClient, config.chunkCacheAddress);
      const maker = new TransformPool({ threads: config.threads });
      return Promise.resolve({
        services: createHandlers({ chunkCache, maker }, context),
        close: async () => {
          chunkCache.close();
          await maker.close();
        },
      });
    },
  },
  process,
);
