import type { DatasetLocation } from '@lunastream/chunk-source';
import {
  addressSchema,
  commonSettings,
  prometheusSetting,
  setting,
  sizeSchema,
} from '@lunastream/service-kit';
import { z } from 'zod';

const DATASET = /^([A-Za-z0-9_-]+)=(.+)$/;

/** "name=folder", several separated by commas; names differ. */
const datasetsSchema = z.string().transform((text, context): DatasetLocation[] => {
  const locations = text.split(',').map((part) => DATASET.exec(part.trim()));
  if (locations.some((match) => match === null)) {
    context.addIssue({ code: 'custom', message: 'must be name=folder, several separated by commas' });
    return z.NEVER;
  }
  const datasets = locations.map((match) => ({ name: match![1]!, folder: match![2]! }));
  if (new Set(datasets.map(({ name }) => name)).size < datasets.length) {
    context.addIssue({ code: 'custom', message: 'must name each data set once' });
    return z.NEVER;
  }
  return datasets;
});

export const settings = {
  listen: setting({
    variable: 'CHUNK_CACHE_LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:50051',
    help: 'Address to listen on, host:port; port 0 takes any',
  }),
  datasets: setting({
    variable: 'CHUNK_CACHE_DATASETS',
    schema: datasetsSchema,
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
