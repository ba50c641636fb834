import type { ConfigError } from '@lunastream/service-kit';
import { compileConfig, describeSettings } from '@lunastream/service-kit';
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { settings } from './config.ts';

describe('the configuration of the trainer', () => {
  it('has defaults that fit the other services on one machine', () => {
    expect(compileConfig(settings, {})).toMatchObject({
      listen: '127.0.0.1:50053',
      chunkCacheAddress: '127.0.0.1:50051',
      workerAddresses: ['127.0.0.1:50052'],
      runsFolder: 'runs',
      leaseSize: 32,
      leasesPerWorker: 2,
      sampleBufferBytes: 256 * 2 ** 20,
      localDatasets: undefined,
      localThreads: availableParallelism(),
      localStoreFolder: '.lunastream/chunks',
      localCopyFolder: '.lunastream/volumes',
    });
  });

  it('reads every setting from its variable', () => {
    const environment = {
      TRAINER_LISTEN: '0.0.0.0:6000',
      TRAINER_CHUNK_CACHE_ADDRESS: 'cache:6001',
      TRAINER_WORKER_ADDRESSES: 'a:6002, b:6003',
      TRAINER_RUNS_FOLDER: '/runs',
      TRAINER_LEASE_SIZE: '8',
      TRAINER_LEASES_PER_WORKER: '3',
      TRAINER_SAMPLE_BUFFER: '1GiB',
      TRAINER_LOCAL_DATASETS: 'luna=/data/luna,lidc=/data/lidc',
      TRAINER_LOCAL_THREADS: '3',
      TRAINER_LOCAL_STORE_FOLDER: '/chunks',
      TRAINER_LOCAL_STORE_LIMIT: '3GiB',
      TRAINER_LOCAL_MEMORY_LIMIT: '4MiB',
      TRAINER_LOCAL_VOLUME_LIMIT: '5MiB',
    };
    expect(compileConfig(settings, environment)).toMatchObject({
      listen: '0.0.0.0:6000',
      chunkCacheAddress: 'cache:6001',
      workerAddresses: ['a:6002', 'b:6003'],
      runsFolder: '/runs',
      leaseSize: 8,
      leasesPerWorker: 3,
      sampleBufferBytes: 2 ** 30,
      localDatasets: [
        { name: 'luna', folder: '/data/luna' },
        { name: 'lidc', folder: '/data/lidc' },
      ],
      localThreads: 3,
      localStoreFolder: '/chunks',
      localCopyFolder: '.lunastream/volumes',
      localStoreLimitBytes: 3 * 2 ** 30,
      localMemoryLimitBytes: 4 * 2 ** 20,
      localVolumeLimitBytes: 5 * 2 ** 20,
    });
  });

  it('reports all faults at once, each with its variable', () => {
    const environment = {
      TRAINER_LISTEN: 'nowhere',
      TRAINER_WORKER_ADDRESSES: 'a:1,b',
      TRAINER_LEASE_SIZE: '1025',
      TRAINER_LEASES_PER_WORKER: '0',
      TRAINER_SAMPLE_BUFFER: 'plenty',
      TRAINER_LOCAL_DATASETS: '/data/luna',
    };
    let faults: readonly string[] = [];
    try {
      compileConfig(settings, environment);
    } catch (error) {
      faults = (error as ConfigError).faults;
    }
    expect(faults.map((fault) => /TRAINER_\w+/.exec(fault)?.[0])).toEqual(Object.keys(environment));
  });

  it('explains every variable in --help', () => {
    const help = describeSettings('trainer', settings);
    for (const { variable, help: sentence } of Object.values(settings)) {
      expect(help).toContain(variable);
      expect(help).toContain(sentence);
    }
  });
});
