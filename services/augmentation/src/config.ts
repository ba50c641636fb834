import { addressSchema, commonSettings, setting } from '@lunastream/service-kit';

export const settings = {
  listen: setting({
    variable: 'AUGMENTATION_LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:50052',
    help: 'Address to listen on, host:port; port 0 takes any',
  }),
  chunkCacheAddress: setting({
    variable: 'AUGMENTATION_CHUNK_CACHE_ADDRESS',
    schema: addressSchema,
    fallback: '127.0.0.1:50051',
    help: 'Address of the chunk cache, host:port',
  }),
  ...commonSettings,
} as const;
