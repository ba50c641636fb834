import { describe, expect, it } from 'vitest';
import { MemoryChunkStore } from './memory-chunk-store.ts';

describe('MemoryChunkStore', () => {
  it('drops the least recently used chunk to stay below its limit in bytes', async () => {
    const store = new MemoryChunkStore({ limitBytes: 500 });
    await store.put('a', new Int16Array(100));
    await store.put('b', new Int16Array(100));
    await store.get('a');
    await store.put('c', new Int16Array(100));
    expect(await store.get('b')).toBeUndefined();
    expect(await store.get('a')).toBeDefined();
    expect(store.stats()).toEqual({
      tier: 'memory',
      hitCount: 2,
      missCount: 1,
      entryCount: 2,
      sizeBytes: 400,
      limitBytes: 500,
      evictionCount: 1,
      corruptCount: 0,
    });
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a limit of %f bytes', (limitBytes) => {
    expect(() => new MemoryChunkStore({ limitBytes })).toThrow(/limitBytes must be a positive integer/);
  });
});
