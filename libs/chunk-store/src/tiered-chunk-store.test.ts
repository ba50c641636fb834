import { describe, expect, it } from 'vitest';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { TieredChunkStore } from './tiered-chunk-store.ts';

const neverFails = (tier: string, error: unknown) => {
  throw new Error(`tier ${tier} failed`, { cause: error });
};

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

  it('answers from the source when a tier fails, and reports the tier', async () => {
    const broken = new MemoryChunkStore({ limitBytes: 1000 });
    broken.get = () => Promise.reject(new Error('unreadable'));
    broken.put = () => Promise.reject(new Error('disk full'));
    const reported: string[] = [];
    const store = new TieredChunkStore([broken], (_tier, error) => reported.push((error as Error).message));
    expect(await store.getOrCut('a', () => Promise.resolve(new Int16Array([1])))).toEqual(
      new Int16Array([1]),
    );
    await store.close();
    expect(reported).toEqual(['unreadable', 'disk full']);
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
