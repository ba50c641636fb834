import {
  addressSchema,
  commonSettings,
  namedFoldersSchema,
  prometheusSetting,
  setting,
  sizeSchema,
} from '@lunastream/service-kit';
import { z } from 'zod';

export const settings = {
  listen: setting({
    variable: 'CHUNK_CACHE_LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:50051',
    help: 'Address to listen on, host:port; port 0 takes any',
  }),
  datasets: setting({
    variable: 'CHUNK_CACHE_DATASETS',
    schema: namedFoldersSchema,
    help: 'Data sets to serve, name=folder, several separated by commas',
  }),
  storeFolder: setting({
    variable: 'CHUNK_CACHE_STORE_FOLDER',
    schema: z.string().min(1),
    fallback: '.lunastream/chunks',
    help: 'Folder of the lmdb tier, made when absent',
  }),
  memoryLimitBytes: setting({
    variable: 'CHUNK_CACHE_MEMORY_LIMIT',
    schema: sizeSchema,
    fallback: '512MiB',
    help: 'Most bytes of chunks kept in memory',
  }),
  storeLimitBytes: setting({
    variable: 'CHUNK_CACHE_STORE_LIMIT',
    schema: sizeSchema,
    fallback: '20GiB',
    help: 'Most bytes of chunks kept in the lmdb tier',
  }),
  volumeLimitBytes: setting({
    variable: 'CHUNK_CACHE_VOLUME_LIMIT',
    schema: sizeSchema,
    fallback: '1GiB',
    help: 'Most bytes of decompressed scans kept in memory; uncompressed scans are read in windows and take none',
  }),
  prometheusListen: prometheusSetting('127.0.0.1:9464'),
  ...commonSettings,
} as const;
