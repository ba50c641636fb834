import { withTemporaryFolder } from '@lunastream/testing';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { ChunkStoreOpenError } from './errors.ts';
import { LmdbChunkStore } from './lmdb-chunk-store.ts';

const chunk = (value: number, voxels = 100) => new Int16Array(voxels).fill(value);

describe('LmdbChunkStore', () => {
  it('keeps chunks over a restart, with their sizes', () =>
    withTemporaryFolder(async (folder) => {
      const first = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      await first.put('a', chunk(-1000));
      await first.put('b', chunk(7));
      await first.close();
      const second = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      expect(await second.get('a')).toEqual(chunk(-1000));
      expect(await second.get('c')).toBeUndefined();
      expect(second.stats()).toMatchObject({ entryCount: 2, sizeBytes: 400, hitCount: 1, missCount: 1 });
      await second.close();
    }));

  it('drops the least recently stored chunks to stay below its limit', () =>
    withTemporaryFolder(async (folder) => {
      const store = new LmdbChunkStore({ folder, limitBytes: 500 });
      for (const [position, key] of ['a', 'b', 'c', 'd'].entries()) await store.put(key, chunk(position));
      expect(await store.get('a')).toBeUndefined();
      expect(await store.get('b')).toBeUndefined();
      expect(await store.get('d')).toEqual(chunk(3));
      expect(store.stats()).toMatchObject({ entryCount: 2, sizeBytes: 400, evictionCount: 2 });
      await store.close();
    }));

  it('does not count a chunk twice that is stored twice', () =>
    withTemporaryFolder(async (folder) => {
      const store = new LmdbChunkStore({ folder, limitBytes: 500 });
      await store.put('a', chunk(1));
      await store.put('a', chunk(1));
      expect(store.stats()).toMatchObject({ entryCount: 1, sizeBytes: 200 });
      await store.close();
    }));

  it('does not serve a chunk whose bytes changed on disk, counts it and takes a new copy', () =>
    withTemporaryFolder(async (folder) => {
      const first = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      await first.put('a', chunk(5));
      await first.close();
      const root = open({ path: folder, maxDbs: 2 });
      const chunks = root.openDB<Buffer, string>({ name: 'chunks', encoding: 'binary' });
      const bytes = Buffer.from(chunks.get('a')!);
      bytes[20]! ^= 1;
      await chunks.put('a', bytes);
      await root.close();
      const second = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      expect(await second.get('a')).toBeUndefined();
      expect(second.stats().corruptCount).toBe(1);
      await second.put('a', chunk(5));
      expect(await second.get('a')).toEqual(chunk(5));
      expect(second.stats()).toMatchObject({ entryCount: 1, sizeBytes: 200 });
      await second.close();
    }));

  it('counts right when two processes share a folder', () =>
    withTemporaryFolder(async (folder) => {
      const [one, other] = [1, 2].map(() => new LmdbChunkStore({ folder, limitBytes: 500 })) as [
        LmdbChunkStore,
        LmdbChunkStore,
      ];
      for (const [position, key] of ['a', 'b', 'c', 'd', 'e'].entries()) {
        await (position % 2 === 0 ? one : other).put(key, chunk(position));
      }
      expect(one.stats()).toMatchObject({ entryCount: 2, sizeBytes: 400 });
      expect(other.stats()).toMatchObject({ entryCount: 2, sizeBytes: 400 });
      expect(await one.get('e')).toEqual(chunk(4));
      await one.close();
      await other.close();
    }));

  it('keeps what is put at the same time, in as few transactions as it comes', () =>
    withTemporaryFolder(async (folder) => {
      const store = new LmdbChunkStore({ folder, limitBytes: 10 ** 6 });
      const keys = Array.from({ length: 100 }, (_, number) => `k${number}`);
      await Promise.all(keys.map((key, number) => store.put(key, chunk(number))));
      for (const [number, key] of keys.entries()) expect(await store.get(key)).toEqual(chunk(number));
      expect(store.stats()).toMatchObject({ entryCount: 100, sizeBytes: 20_000 });
      await store.close();
    }));

  it('verify() drops what is damaged and counts it, clear() drops all', () =>
    withTemporaryFolder(async (folder) => {
      const first = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      for (const [position, key] of ['a', 'b', 'c'].entries()) await first.put(key, chunk(position));
      await first.close();
      const root = open({ path: folder, maxDbs: 3 });
      const chunks = root.openDB<Buffer, string>({ name: 'chunks', encoding: 'binary' });
      await chunks.put('b', Buffer.from('no chunk'));
      await root.close();
      const store = new LmdbChunkStore({ folder, limitBytes: 10_000 });
      expect(await store.verify()).toEqual({ entryCount: 3, sizeBytes: 400, corruptCount: 1 });
      expect(await store.verify()).toEqual({ entryCount: 2, sizeBytes: 400, corruptCount: 0 });
      expect(await store.get('b')).toBeUndefined();
      await store.clear();
      expect(store.stats()).toMatchObject({ entryCount: 0, sizeBytes: 0 });
      expect(await store.get('a')).toBeUndefined();
      await store.close();
    }));

  it('names the folder that it cannot open', () => {
    expect(() => new LmdbChunkStore({ folder: '/dev/null/store', limitBytes: 1 })).toThrow(
      ChunkStoreOpenError,
    );
    expect(() => new LmdbChunkStore({ folder: '/dev/null/store', limitBytes: 1 })).toThrow(
      /\/dev\/null\/store/,
    );
  });
});
