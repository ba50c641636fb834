import {
  addressSchema,
  commonSettings,
  integerSchema,
  namedFoldersSchema,
  prometheusSetting,
  setting,
  sizeSchema,
} from '@lunastream/service-kit';
import { z } from 'zod';

/** An address of a scheme, or '' for none. */
const sharedStoreSchema = z
  .union([z.literal(''), z.url({ protocol: /^rediss?$/ })], 'must be redis://host:port or rediss://host:port')
  .transform((url) => (url === '' ? undefined : url));

const endpointSchema = z
  .union([z.literal(''), z.url({ protocol: /^https?$/ })], 'must be http://host:port or https://host:port')
  .transform((endpoint) => (endpoint === '' ? {} : { endpoint }));

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
    help: 'Data sets to serve, name=folder, several separated by commas; http://, https:// and s3:// places are folders too',
  }),
  storeFolder: setting({
    variable: 'CHUNK_CACHE_STORE_FOLDER',
    schema: z.string().min(1),
    fallback: '.lunastream/chunks',
    help: 'Folder of the lmdb tier, made when absent',
  }),
  copyFolder: setting({
    variable: 'CHUNK_CACHE_COPY_FOLDER',
    schema: z.string().min(1),
    fallback: '.lunastream/volumes',
    help: 'Folder of local copies of scans that cannot be read in windows (compressed files, DICOM), made when absent',
  }),
  copyLimitBytes: setting({
    variable: 'CHUNK_CACHE_COPY_LIMIT',
    schema: sizeSchema,
    fallback: '50GiB',
    help: 'Most bytes of those copies',
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
    help: 'Most bytes of decompressed scans kept in memory where no copy can be made',
  }),
  aheadLimitBytes: setting({
    variable: 'CHUNK_CACHE_AHEAD_LIMIT',
    schema: sizeSchema,
    fallback: '256MiB',
    help: 'Most bytes of chunks cut ahead of clients, all calls together; each call may hold one chunk whatever its size',
  }),
  sharedStoreUrl: setting({
    variable: 'CHUNK_CACHE_SHARED_STORE',
    schema: sharedStoreSchema,
    fallback: '',
    help: 'Valkey or Redis server that caches share, redis://[user:password@]host:port; empty for none',
    secret: true,
  }),
  s3: setting({
    variable: 'CHUNK_CACHE_S3_ENDPOINT',
    schema: endpointSchema,
    fallback: '',
    help: 'Address of an S3-compatible server for s3:// data sets; empty takes what the AWS SDK finds, as credentials always',
  }),
  sourceCheckMs: setting({
    variable: 'CHUNK_CACHE_SOURCE_CHECK_MS',
    schema: integerSchema(0, 86_400_000),
    fallback: '60000',
    help: "How long what was seen of a scan's files is believed, ms; 0 looks at each chunk",
  }),
  prometheusListen: prometheusSetting('127.0.0.1:9464'),
  ...commonSettings,
} as const;
