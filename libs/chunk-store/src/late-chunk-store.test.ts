import { withTemporaryFolder } from '@lunastream/testing';
import { writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ChunkStoreOpenError, ChunkStoreWriteError } from './errors.ts';
import { LateChunkStore } from './late-chunk-store.ts';
import { LmdbChunkStore } from './lmdb-chunk-store.ts';

const MB = 2 ** 20;
const voxels = new Int16Array([1, 2, 3]);

it('LateChunkStore: finds and keeps nothing until there is room, then what comes, and counts both times', () =>
  withTemporaryFolder(async (folder) => {
    let free = 0;
    const freeBytes = () => free;
    const open = () => new LmdbChunkStore({ folder, limitBytes: MB, freeBytes });
    const store = new LateChunkStore({ tier: 'lmdb', limitBytes: MB, open });
    expect([await store.get('a'), await store.has('a')]).toEqual([undefined, false]);
    await expect(store.put('a', voxels)).rejects.toThrow(ChunkStoreWriteError);
    expect(await readdir(folder)).toEqual([]);
    expect(store.stats()).toMatchObject({ tier: 'lmdb', limitBytes: MB, entryCount: 0, missCount: 1 });
    free = 2 * MB;
    await store.put('a', voxels);
    expect([await store.get('a'), await store.has('a')]).toEqual([voxels, true]);
    expect(await store.get('b')).toBeUndefined();
    expect(store.stats()).toMatchObject({ entryCount: 1, sizeBytes: 6, hitCount: 1, missCount: 2 });
    await store.close();
    // What was begun can be opened without room for another beginning.
    free = 0;
    const again = open();
    expect(await again.get('a')).toEqual(voxels);
    await again.close();
  }));

it('LateChunkStore: a folder that is none is refused at once, and it closes what never opened', () =>
  withTemporaryFolder(async (folder) => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const open = () => new LmdbChunkStore({ folder: file, limitBytes: MB });
    expect(() => new LateChunkStore({ tier: 'lmdb', limitBytes: MB, open })).toThrow(ChunkStoreOpenError);
    const freeBytes = () => 0;
    const never = new LateChunkStore({
      tier: 'lmdb',
      limitBytes: MB,
      open: () => new LmdbChunkStore({ folder: join(folder, 'store'), limitBytes: MB, freeBytes }),
    });
    await never.close();
  }));
