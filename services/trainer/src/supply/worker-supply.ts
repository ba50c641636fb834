import { DatasetServiceClient } from '@lunastream/contracts';
import { AddressWatcher, type ConfigOf, type ServiceContext } from '@lunastream/service-kit';
import type { settings } from '../config.ts';
import { readTrainingDataset } from '../dataset-client.ts';
import { LeaseScheduler } from './lease-scheduler.ts';
import { sampleClient } from './sample-client.ts';
import type { SampleSupply } from './sample-supply.ts';
import { observeWorkerSupply } from './supply-telemetry.ts';
import { WorkerPool } from './worker-pool.ts';

/** Data sets from the chunk cache, samples from augmentation workers that come and go. */
export async function startWorkerSupply(
  config: ConfigOf<typeof settings>,
  context: ServiceContext,
): Promise<SampleSupply> {
  const datasets = context.connect(DatasetServiceClient, config.chunkCacheAddress);
  const workers = new WorkerPool({
    ...config,
    connect: ({ address, serverName }) => sampleClient(context.connectBulk(address, serverName)),
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
  const { counts } = samples;
  observeWorkerSupply(context.telemetry, { counts, pool: workers, ...config });
  return {
    origin: 'workers',
    readDataset: (name, signal) => readTrainingDataset(datasets, name, signal),
    samples,
    workerCount: () => workers.workers.length,
    close: () => {
      context.logger.info({ leases: samples.counts }, 'leases given out, and what became of them');
      addresses.close();
      datasets.close();
      workers.close();
      return Promise.resolve();
    },
  };
}
