import { commonSettings, compileConfig, ConfigError } from '@lunastream/service-kit';
import { describe, expect, it } from 'vitest';
import { settings } from './config.ts';

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    compileConfig(settings, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const datasetsOf = (text: string) => compileConfig(settings, { CHUNK_CACHE_DATASETS: text }).datasets;

describe('settings of the chunk cache', () => {
  it('need nothing but data sets', () => {
    expect(compileConfig(settings, { CHUNK_CACHE_DATASETS: 'default=/data/luna' })).toEqual({
      listen: '127.0.0.1:50051',
      datasets: [{ name: 'default', folder: '/data/luna' }],
      storeFolder: '.lunastream/chunks',
      memoryLimitBytes: 512 * 2 ** 20,
      storeLimitBytes: 20 * 2 ** 30,
      volumeLimitBytes: 2 ** 30,
      aheadLimitBytes: 256 * 2 ** 20,
      copyFolder: '.lunastream/volumes',
      copyLimitBytes: 50 * 2 ** 30,
      sharedStoreUrl: undefined,
      s3: {},
      sourceCheckMs: 60_000,
      prometheusListen: '127.0.0.1:9464',
      ...compileConfig(commonSettings, {}),
    });
    expect(faultsOf({})).toEqual([expect.stringContaining('CHUNK_CACHE_DATASETS is missing')]);
  });

  it('report all faults at once', () => {
    const faults = faultsOf({
      CHUNK_CACHE_DATASETS: 'luna',
      CHUNK_CACHE_LISTEN: ':1',
      CHUNK_CACHE_MEMORY_LIMIT: '1GB',
      CHUNK_CACHE_STORE_LIMIT: '0',
      CHUNK_CACHE_VOLUME_LIMIT: '-1MiB',
      CHUNK_CACHE_AHEAD_LIMIT: 'some',
      CHUNK_CACHE_SHARED_STORE: 'localhost:6379',
      CHUNK_CACHE_S3_ENDPOINT: 's3://scans',
      CHUNK_CACHE_SOURCE_CHECK_MS: 'often',
      LUNASTREAM_DRAIN_DELAY_MS: 'soon',
    });
    expect(faults.map((fault) => fault.split('=')[0])).toEqual([
      'CHUNK_CACHE_LISTEN',
      'CHUNK_CACHE_DATASETS',
      'CHUNK_CACHE_MEMORY_LIMIT',
      'CHUNK_CACHE_STORE_LIMIT',
      'CHUNK_CACHE_VOLUME_LIMIT',
      'CHUNK_CACHE_AHEAD_LIMIT',
      'CHUNK_CACHE_SHARED_STORE',
      'CHUNK_CACHE_S3_ENDPOINT',
      'CHUNK_CACHE_SOURCE_CHECK_MS',
      'LUNASTREAM_DRAIN_DELAY_MS',
    ]);
  });
});

describe('CHUNK_CACHE_DATASETS', () => {
  it('holds several data sets; a folder may have an equals sign and spaces', () => {
    expect(datasetsOf('luna=/data/luna16, my-set_2=./a b=c')).toEqual([
      { name: 'luna', folder: '/data/luna16' },
      { name: 'my-set_2', folder: './a b=c' },
    ]);
  });

  it.each(['luna', '=folder', 'luna=', 'a b=folder', 'luna=/data,', 'luna=/data,,other=/x', ','])(
    "refuses '%s' by its form",
    (text) => {
      expect(faultsOf({ CHUNK_CACHE_DATASETS: text })).toEqual([
        expect.stringContaining('must be name=folder, several separated by commas'),
      ]);
    },
  );

  it('refuses a name given twice', () => {
    expect(faultsOf({ CHUNK_CACHE_DATASETS: 'luna=/a,luna=/b' })).toEqual([
      expect.stringContaining('must name each data set once'),
    ]);
  });
});
