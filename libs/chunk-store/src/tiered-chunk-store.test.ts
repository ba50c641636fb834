import { describe, expect, it } from 'vitest';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { TieredChunkStore } from './tiered-chunk-store.ts';

const neverFails = {
  onTierError: (tier: string, error: unknown) => {
    throw new Error(`tier ${tier} failed`, { cause: error });
  },
};

const chunk = new Int16Array([1]);

describe('TieredChunkStore', () => {
  it('cuts once for any number of callers at the same time', async () => {
    const store = new TieredChunkStore([new MemoryChunkStore({ limitBytes: 1000 })], neverFails);
    let cuts = 0;
    const cut = () => Promise.resolve(new Int16Array([++cuts]));
    const answers = await Promise.all(Array.from({ length: 64 }, () => store.getOrCut('a', cut)));
    expect(answers.every((voxels) => voxels[0] === 1)).toBe(true);
    await store.getOrCut('a', cut);
    expect(store.cutCount).toBe(1);
  });

  it('puts what a far tier has into the nearer ones', async () => {
    const near = new MemoryChunkStore({ limitBytes: 1000 });
    const far = new MemoryChunkStore({ limitBytes: 1000 });
    await far.put('a', new Int16Array([42]));
    const store = new TieredChunkStore([near, far], neverFails);
    await store.getOrCut('a', () => Promise.reject(new Error('no cut expected')));
    expect(await near.get('a')).toEqual(new Int16Array([42]));
  });

  it('answers from the source while a tier fails; says so once, counts it, and says when it works again', async () => {
    const disk = new MemoryChunkStore({ limitBytes: 1000 });
    const put = disk.put.bind(disk);
    disk.put = () => Promise.reject(new Error('disk full'));
    const said: string[] = [];
    const store = new TieredChunkStore([disk], {
      onTierError: (tier, error) => said.push(`${tier}: ${(error as Error).message}`),
      onTierRecovered: (tier) => said.push(`${tier} works`),
    });
    for (const key of ['a', 'b', 'c']) {
      expect(await store.getOrCut(key, () => Promise.resolve(chunk))).toEqual(chunk);
    }
    await store.settled();
    expect(said).toEqual(['memory: disk full']);
    expect(store.stats()).toMatchObject([{ errorCount: 3, entryCount: 0 }]);
    disk.put = put;
    // What fits on a full disk does not show that there is room again.
    await store.getOrCut('a', () => Promise.resolve(chunk));
    await store.settled();
    expect(said).toEqual(['memory: disk full']);
    for (let number = 1; number < 32; number++) {
      await store.getOrCut(`more ${number}`, () => Promise.resolve(chunk));
    }
    await store.close();
    expect(said).toEqual(['memory: disk full', 'memory works']);
    expect(store.cutCount).toBe(3 + 32);
  });

  it('answers from the source when a tier cannot be read', async () => {
    const broken = new MemoryChunkStore({ limitBytes: 1000 });
    broken.get = () => Promise.reject(new Error('unreadable'));
    const said: unknown[] = [];
    const store = new TieredChunkStore([broken], { onTierError: (_, error) => said.push(error) });
    expect(await store.getOrCut('a', () => Promise.resolve(chunk))).toEqual(chunk);
    await store.close();
    expect(said).toEqual([new Error('unreadable')]);
  });

  it('tries again after a failed cut', async () => {
    const store = new TieredChunkStore([], neverFails);
    await expect(store.getOrCut('a', () => Promise.reject(new Error('scan is gone')))).rejects.toThrow(
      'scan is gone',
    );
    expect(await store.getOrCut('a', () => Promise.resolve(new Int16Array([2])))).toEqual(
      new Int16Array([2]),
    );
  });
});
