import { availableParallelism } from 'node:os';
import { commonSettings, compileConfig } from '@lunastream/service-kit';
import { describe, expect, it } from 'vitest';
import { settings } from './config.ts';

describe('settings of an augmentation worker', () => {
  it('need nothing: the defaults are those of one machine', () => {
    expect(compileConfig(settings, {})).toEqual({
      listen: '127.0.0.1:50052',
      chunkCacheAddresses: ['127.0.0.1:50051'],
      threads: availableParallelism(),
      chunkCacheBytes: 256 * 2 ** 20,
      prometheusListen: '127.0.0.1:9465',
      ...compileConfig(commonSettings, {}),
    });
  });

  it('report all faults at once', () => {
    const environment = {
      AUGMENTATION_LISTEN: 'here',
      AUGMENTATION_CHUNK_CACHE_ADDRESS: 'chunk-cache',
      LUNASTREAM_LOG_LEVEL: 'loud',
    };
    expect(() => compileConfig(settings, environment)).toThrow(
      /3 fault\(s\)\n.*AUGMENTATION_LISTEN='here'.*\n.*CHUNK_CACHE_ADDRESS='chunk-cache'.*\n.*LOG_LEVEL='loud'/,
    );
  });
});
