import { epochPlan } from '@lunastream/dataset';
import { SharedBuffers } from '@lunastream/transform-pool';
import { describe, expect, it } from 'vitest';
import { RawChunkMemory } from './raw-chunk-memory.ts';

const CHUNK_BYTES = 8;

function memoryOf(chunks: number) {
  const buffers = new SharedBuffers({ limitBytes: 1000 });
  return { memory: new RawChunkMemory({ limitBytes: chunks * CHUNK_BYTES, buffers }), buffers };
}

const bytesOf = (seed: number) => new Uint8Array(CHUNK_BYTES).fill(seed);

/** Asks for a chunk as a worker does; whether memory had it. */
function request(memory: RawChunkMemory, key: string): boolean {
  const kept = memory.lend(key);
  memory.release(kept ?? memory.add(key, bytesOf(key.length)));
  return kept !== undefined;
}

describe('RawChunkMemory', () => {
  it('lends what was added, as it was', () => {
    const { memory } = memoryOf(2);
    expect(memory.lend('a')).toBeUndefined();
    const added = memory.add('a', bytesOf(3));
    expect(new Uint8Array(added.voxels)).toEqual(bytesOf(3));
    expect(memory.lend('a')).toBe(added);
    expect(memory.stats()).toEqual({
      hitCount: 1,
      missCount: 1,
      evictionCount: 0,
      entryCount: 1,
      sizeBytes: CHUNK_BYTES,
      limitBytes: 2 * CHUNK_BYTES,
    });
  });

  it('lends several together: all of them as one by one, or none', () => {
    const { memory, buffers } = memoryOf(2);
    for (const key of ['a', 'b']) request(memory, key);
    const before = memory.stats();
    expect(memory.lendAll(['a', 'c', 'b'])).toBeUndefined();
    expect(memory.stats()).toEqual(before);
    const lent = memory.lendAll(['b', 'a', 'b'])!;
    expect(lent.map(({ voxels }) => new Uint8Array(voxels))).toEqual([bytesOf(1), bytesOf(1), bytesOf(1)]);
    expect(memory.stats()).toMatchObject({ hitCount: 3, missCount: before.missCount });
    // b was asked for last: a goes, whose memory waits for its release.
    for (const key of ['ccc', 'ccc']) request(memory, key);
    expect(memory.stats().evictionCount).toBe(1);
    expect(buffers.idleBytes).toBe(0);
    memory.release(lent[1]!);
    expect(buffers.idleBytes).toBe(CHUNK_BYTES);
  });

  it('lends nothing that it keeps nothing of', () => {
    expect(memoryOf(0).memory.lendAll(['a'])).toBeUndefined();
  });

  it('drops the least recently used for a chunk that was asked for after it', () => {
    const { memory } = memoryOf(2);
    for (const key of ['a', 'b', 'c', 'b']) request(memory, key);
    // c was asked for after a, and comes again: it takes a's place.
    expect(['c', 'a', 'b', 'c'].map((key) => request(memory, key))).toEqual([false, false, true, true]);
    expect(memory.stats()).toMatchObject({ entryCount: 2, evictionCount: 1 });
  });

  it.each([
    ['all fit', 60, 60, 1],
    ['half of them fit', 120, 60, 0.5],
  ])('finds nodules among negatives that come once, when %s', (_, nodules, fitting, share) => {
    const { memory } = memoryOf(fitting);
    let negative = 0;
    const showAll = () => {
      let hits = 0;
      for (let nodule = 0; nodule < nodules; nodule++) {
        if (request(memory, `nodule ${nodule}`)) hits++;
        request(memory, `negative ${negative++}`);
      }
      return hits;
    };
    // The first rounds find out which chunks come again.
    showAll();
    showAll();
    showAll();
    expect([showAll(), showAll()]).toEqual([share * nodules, share * nodules]);
  });

  // LUNA16's training side: 1,216 nodules and 494,742 others; 256 MiB of 32×48×48 hold 1,820, with margin 432.
  it.each([
    ['without margin, one worker', 1820, 1, 0.4924],
    ['with margin, one worker', 432, 1, 0.1753],
    ['with margin, four workers', 432, 4, 0.3674],
  ])('finds nodules in a balanced epoch of the chapter: %s', (_, fitting, workers, share) => {
    const candidates = Array.from({ length: 495_958 }, (_item, index) => ({ isNodule: index < 1216 }));
    const plan = epochPlan({ candidates, ratio: 1, runSeed: 1, epoch: 1 });
    const memories = Array.from({ length: workers }, () => memoryOf(fitting).memory);
    let hits = 0;
    plan.forEach((index, ordinal) => {
      // Which worker gets a lease depends on timing: any.
      const lease = Math.imul(Math.floor(ordinal / 32), 0x9e3779b1) >>> 16;
      if (request(memories[lease % workers]!, String(index))) hits++;
    });
    expect(hits / plan.length).toBeCloseTo(share, 4);
  });

  it('follows when another data set is asked for', () => {
    const { memory } = memoryOf(10);
    const show = (name: string) =>
      Array.from({ length: 10 }, (_, index) => request(memory, `${name} ${index}`)).filter(Boolean).length;
    expect([show('old'), show('old')]).toEqual([0, 10]);
    expect([show('new'), show('new'), show('new')]).toEqual([0, 0, 10]);
  });

  it('never writes into a chunk that is lent, whether it is kept or not', () => {
    const { memory, buffers } = memoryOf(1);
    memory.lend('a');
    const first = memory.add('a', bytesOf(1));
    memory.lend('b');
    memory.lend('b');
    // Its second request: it takes the place of a, which is still lent.
    const second = memory.add('b', bytesOf(2));
    expect(memory.stats()).toMatchObject({ entryCount: 1, evictionCount: 1 });
    expect(buffers.idleBytes).toBe(0);
    const third = memory.add(undefined, bytesOf(3));
    expect([first, second, third].map(({ voxels }) => new Uint8Array(voxels)[0])).toEqual([1, 2, 3]);
    memory.release(third);
    memory.release(first);
    expect(buffers.idleBytes).toBe(2 * CHUNK_BYTES);
    memory.release(second);
    expect(buffers.idleBytes).toBe(2 * CHUNK_BYTES);
    expect(memory.lend('b')).toBe(second);
  });

  it('lends the chunk that another lease added meanwhile', () => {
    const { memory, buffers } = memoryOf(2);
    memory.lend('a');
    memory.lend('a');
    const added = memory.add('a', bytesOf(1));
    expect(memory.add('a', bytesOf(1))).toBe(added);
    memory.release(added);
    memory.release(added);
    expect(memory.lend('a')).toBe(added);
    expect(buffers.idleBytes).toBe(0);
  });

  it('keeps nothing at a limit of 0, nor a chunk larger than its limit', () => {
    for (const limitBytes of [0, CHUNK_BYTES - 1]) {
      const memory = new RawChunkMemory({ limitBytes, buffers: new SharedBuffers({ limitBytes: 0 }) });
      expect([request(memory, 'a'), request(memory, 'a')]).toEqual([false, false]);
      expect(memory.stats()).toMatchObject({ hitCount: 0, missCount: 2, entryCount: 0, sizeBytes: 0 });
    }
  });
});
