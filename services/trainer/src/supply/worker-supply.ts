import { ArrivalMemory } from '@lunastream/augmentation';
import { DatasetServiceClient } from '@lunastream/contracts';
import { AddressWatcher, type ConfigOf, type ServiceContext } from '@lunastream/service-kit';
import type { settings } from '../config.ts';
import { readTrainingDataset } from '../dataset-client.ts';
import { LeaseScheduler } from './lease-scheduler.ts';
import { sampleClient } from './sample-client.ts';
import type { SampleSupply } from './sample-supply.ts';
import { observeWorkerSupply } from './supply-telemetry.ts';
import { WorkerPool } from './worker-pool.ts';

/** Read at a time: most of a sample, and little enough to stay in a core's cache until it is copied. */
const RECEIVE_BYTES = 2 ** 18;

/** Data sets from the chunk cache, samples from augmentation workers that come and go. */
export async function startWorkerSupply(
  config: ConfigOf<typeof settings>,
  context: ServiceContext,
): Promise<SampleSupply> {
  const datasets = context.connect(DatasetServiceClient, config.chunkCacheAddress);
  // Samples are looked at where they are received.
  const arrivals = new ArrivalMemory(RECEIVE_BYTES);
  const workers = new WorkerPool({
    ...config,
    connect: ({ address, serverName }) =>
      sampleClient(context.connectBulk(address, arrivals.bytes, serverName)),
  });
  const addresses = await AddressWatcher.start({
    targets: config.workerAddresses,
    onChange: (servers) => {
      context.logger.info({ workers: servers.map(({ address }) => address) }, 'augmentation workers');
      workers.setServers(servers);
    },
    onError: (sentence) => context.logger.warn(sentence),
  });
  const samples = new LeaseScheduler(workers, config, arrivals);
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
