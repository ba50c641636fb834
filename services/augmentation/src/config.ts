import { availableParallelism } from 'node:os';
import {
  addressSchema,
  commonSettings,
  integerSchema,
  prometheusSetting,
  setting,
  sizeOrNoneSchema,
  targetListSchema,
} from '@lunastream/service-kit';

export const settings = {
  listen: setting({
    variable: 'AUGMENTATION_LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:50052',
    help: 'Address to listen on, host:port; port 0 takes any',
  }),
  chunkCacheAddresses: setting({
    variable: 'AUGMENTATION_CHUNK_CACHE_ADDRESS',
    schema: targetListSchema,
    fallback: '127.0.0.1:50051',
    help: 'Chunk caches: host:port, or dns:///name:port resolved again every 2 s; separated by commas',
  }),
  threads: setting({
    variable: 'AUGMENTATION_THREADS',
    schema: integerSchema(1, 256),
    fallback: String(availableParallelism()),
    help: 'Threads that transform samples, 1..256; as many as there are cores unless set',
  }),
  prometheusListen: prometheusSetting('127.0.0.1:9465'),
  chunkCacheBytes: setting({
    variable: 'AUGMENTATION_CHUNK_CACHE',
    schema: sizeOrNoneSchema,
    fallback: '256MiB',
    help: 'Most bytes of raw chunks that are kept in memory, so that they are not asked for again; 0 keeps none',
  }),
  ...commonSettings,
} as const;
