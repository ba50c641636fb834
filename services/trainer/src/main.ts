import { AugmentationServiceClient, DatasetServiceClient } from '@lunastream/contracts';
import { runService } from '@lunastream/service-kit';
import { settings } from './config.ts';
import { createHandlers } from './handlers.ts';
import { LeaseScheduler } from './lease-scheduler.ts';
import { RunManager } from './run-manager.ts';
import { ThreadedEngine } from './threaded-engine.ts';
import { WorkerPool } from './worker-pool.ts';

await runService(
  {
    name: 'trainer',
    title: 'lunastream trainer: plans epochs, leases samples to augmentation workers, trains, keeps runs',
    settings,
    isProtected: true,
    start: (config, context) => {
      const datasets = context.connect(DatasetServiceClient, config.chunkCacheAddress);
      const workers = new WorkerPool(
        { ...config, connect: (address) => context.connect(AugmentationServiceClient, address) },
        config.workerAddresses,
      );
      const runs = new RunManager({
        runsFolder: config.runsFolder,
        datasets,
        samples: new LeaseScheduler(workers, config),
        startEngine: (engineSettings) => ThreadedEngine.start(engineSettings),
        workerCount: config.workerAddresses.length,
        sampleBufferBytes: config.sampleBufferBytes,
        clock: { now: () => new Date(), nowMs: () => performance.now() },
        logger: context.logger,
      });
      return Promise.resolve({
        services: createHandlers(runs, context),
        beforeDrain: () => runs.stopActive(),
        close: () => {
          datasets.close();
          workers.close();
          return Promise.resolve();
        },
      });
    },
  },
  process,
);
