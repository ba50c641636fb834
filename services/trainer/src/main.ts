import { AugmentationServiceClient, DatasetServiceClient } from '@lunastream/contracts';
import { runService } from '@lunastream/service-kit';
import { settings } from './config.ts';
import { createHandlers } from './handlers.ts';
import { LeaseScheduler } from './lease-scheduler.ts';
import { RunManager } from './run-manager.ts';
import { ThreadedEngine } from './threaded-engine.ts';

await runService(
  {
    name: 'trainer',
    title: 'lunastream trainer: plans epochs, leases samples to augmentation workers, trains, keeps runs',
    settings,
    isProtected: true,
    start: (config, context) => {
      const datasets = context.connect(DatasetServiceClient, config.chunkCacheAddress);
      const workers = config.workerAddresses.map((address) => ({
        address,
        client: context.connect(AugmentationServiceClient, address),
      }));
      const runs = new RunManager({
        runsFolder: config.runsFolder,
        datasets,
        samples: new LeaseScheduler(workers, { ...config, bufferBytes: config.sampleBufferBytes }),
        startEngine: (engineSettings) => ThreadedEngine.start(engineSettings),
        workerCount: workers.length,
        clock: { now: () => new Date(), nowMs: () => performance.now() },
        logger: context.logger,
      });
      return Promise.resolve({
        services: createHandlers(runs, context),
        beforeDrain: () => runs.stopActive(),
        close: () => {
          datasets.close();
          for (const { client } of workers) client.close();
          return Promise.resolve();
        },
      });
    },
  },
  process,
);
