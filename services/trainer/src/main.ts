import { AugmentationServiceClient, DatasetServiceClient } from '@lunastream/contracts';
import { AddressWatcher, runService } from '@lunastream/service-kit';
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
    start: async (config, context) => {
      const datasets = context.connect(DatasetServiceClient, config.chunkCacheAddress);
      const workers = new WorkerPool({
        ...config,
        connect: ({ address, serverName }) => context.connect(AugmentationServiceClient, address, serverName),
      });
      const addresses = await AddressWatcher.start({
        targets: config.workerAddresses,
        onChange: (servers) => {
          context.logger.info({ workers: servers.map(({ address }) => address) }, 'augmentation workers');
          workers.setServers(servers);
        },
        onError: (sentence) => context.logger.warn(sentence),
      });
      const samples = new LeaseScheduler(workers, config);
      const runs = new RunManager({
        runsFolder: config.runsFolder,
        datasets,
        samples,
        startEngine: (engineSettings) => ThreadedEngine.start(engineSettings),
        workerCount: () => workers.workers.length,
        sampleBufferBytes: config.sampleBufferBytes,
        clock: { now: () => new Date(), nowMs: () => performance.now() },
        logger: context.logger,
      });
      return {
        services: createHandlers(runs, context),
        beforeDrain: () => runs.stopActive(),
        close: () => {
          context.logger.info({ leases: samples.counts }, 'leases given out, and what became of them');
          addresses.close();
          datasets.close();
          workers.close();
          return Promise.resolve();
        },
      };
    },
  },
  process,
);
