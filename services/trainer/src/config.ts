import {
  addressSchema,
  commonSettings,
  integerSchema,
  namedFoldersSchema,
  prometheusSetting,
  setting,
  sizeSchema,
  targetListSchema,
  targetSchema,
} from '@lunastream/service-kit';
import { availableParallelism } from 'node:os';
import { z } from 'zod';

export const settings = {
  listen: setting({
    variable: 'TRAINER_LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:50053',
    help: 'Address to listen on, host:port; port 0 takes any',
  }),
  chunkCacheAddress: setting({
    variable: 'TRAINER_CHUNK_CACHE_ADDRESS',
    schema: targetSchema,
    fallback: '127.0.0.1:50051',
    help: 'Address of a chunk cache, host:port or dns:///name:port',
  }),
  workerAddresses: setting({
    variable: 'TRAINER_WORKER_ADDRESSES',
    schema: targetListSchema,
    fallback: '127.0.0.1:50052',
    help: 'Augmentation workers: host:port, or dns:///name:port resolved again every 2 s; separated by commas',
  }),
  runsFolder: setting({
    variable: 'TRAINER_RUNS_FOLDER',
    schema: z.string().min(1),
    fallback: 'runs',
    help: 'Folder below which every run gets its own',
  }),
  leaseSize: setting({
    variable: 'TRAINER_LEASE_SIZE',
    schema: integerSchema(1, 1024),
    fallback: '32',
    help: 'Samples in a lease, 1..1024',
  }),
  leasesPerWorker: setting({
    variable: 'TRAINER_LEASES_PER_WORKER',
    schema: integerSchema(1, 64),
    fallback: '2',
    help: 'Leases that one worker may have outstanding, 1..64',
  }),
  sampleBufferBytes: setting({
    variable: 'TRAINER_SAMPLE_BUFFER',
    schema: sizeSchema,
    fallback: '256MiB',
    help: 'Most bytes of batches ahead of the engine, at least four batches',
  }),
  hedgeAfterMs: setting({
    variable: 'TRAINER_HEDGE_AFTER_MS',
    schema: integerSchema(10, 600_000),
    fallback: '3000',
    help: 'A lease that is open for as long is also given to another worker, 10..600000',
  }),
  prometheusListen: prometheusSetting('127.0.0.1:9466'),
  localDatasets: setting({
    variable: 'TRAINER_LOCAL_DATASETS',
    schema: z.union([z.literal('').transform(() => undefined), namedFoldersSchema]),
    fallback: '',
    help: 'Data sets to read and augment in this process, name=folder: then neither a cache nor workers are asked',
  }),
  localThreads: setting({
    variable: 'TRAINER_LOCAL_THREADS',
    schema: integerSchema(1, 256),
    fallback: String(availableParallelism()),
    help: 'Threads that transform samples of local data sets, 1..256; as many as there are cores unless set',
  }),
  localStoreFolder: setting({
    variable: 'TRAINER_LOCAL_STORE_FOLDER',
    schema: z.string().min(1),
    fallback: '.lunastream/chunks',
    help: 'Folder where chunks of local data sets are kept, made when absent',
  }),
  localCopyFolder: setting({
    variable: 'TRAINER_LOCAL_COPY_FOLDER',
    schema: z.string().min(1),
    fallback: '.lunastream/volumes',
    help: 'Folder of local copies of scans that cannot be read in windows, made when absent',
  }),
  localStoreLimitBytes: setting({
    variable: 'TRAINER_LOCAL_STORE_LIMIT',
    schema: sizeSchema,
    fallback: '20GiB',
    help: 'Most bytes of chunks kept in it',
  }),
  localMemoryLimitBytes: setting({
    variable: 'TRAINER_LOCAL_MEMORY_LIMIT',
    schema: sizeSchema,
    fallback: '512MiB',
    help: 'Most bytes of chunks of local data sets kept in memory',
  }),
  localVolumeLimitBytes: setting({
    variable: 'TRAINER_LOCAL_VOLUME_LIMIT',
    schema: sizeSchema,
    fallback: '1GiB',
    help: 'Most bytes of decompressed scans of local data sets kept in memory',
  }),
  ...commonSettings,
} as const;
