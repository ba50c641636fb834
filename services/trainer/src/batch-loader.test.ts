import { describe, expect, it } from 'vitest';
import { loadBatches, type BatchLoaderOptions } from './batch-loader.ts';

const CHUNK_SHAPE = { depth: 1, height: 1, width: 2 };

/** Samples that hold their ordinal, `count` of them or without end, noting what happens to the source. */
class Source {
  readonly asked: number[] = [];
  isReturned = false;
  closed: AbortSignal | undefined;
  /** Called before each sample. */
  onSample: (ordinal: number) => Promise<void> | void = () => undefined;
  readonly #count: number;

  constructor(count = Infinity) {
    this.#count = count;
  }

  readonly open = (closed: AbortSignal): AsyncIterable<Float32Array> => {
    this.closed = closed;
    return this.#samples();
  };

  async *#samples(): AsyncGenerator<Float32Array> {
    try {
      for (let ordinal = 0; ordinal < this.#count; ordinal++) {
        this.asked.push(ordinal);
        await this.onSample(ordinal);
        yield Float32Array.of(ordinal, -ordinal);
      }
    } finally {
      this.isReturned = true;
    }
  }
}

const load = (source: Source, options: Partial<BatchLoaderOptions> = {}) =>
  loadBatches({
    openSamples: source.open,
    labels: Uint8Array.of(1, 0, 0, 1, 0),
    batchSize: 2,
    chunkShape: CHUNK_SHAPE,
    nowMs: () => 0,
    ...options,
  });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('loadBatches()', () => {
  it('fills batches in order, voxels beside their labels, the last one short', async () => {
    const batches = [];
    for await (const { batch, firstOrdinal } of load(new Source())) {
      batches.push({ firstOrdinal, ...batch, voxelsHu: [...batch.voxelsHu], labels: [...batch.labels] });
    }
    expect(batches).toEqual([
      { firstOrdinal: 0, count: 2, voxelsHu: [0, -0, 1, -1], labels: [1, 0] },
      { firstOrdinal: 2, count: 2, voxelsHu: [2, -2, 3, -3], labels: [0, 1] },
      { firstOrdinal: 4, count: 1, voxelsHu: [4, -4], labels: [0] },
    ]);
  });

  it('keeps voxels in shared memory, so that they reach the engine thread without a copy', async () => {
    for await (const { batch } of load(new Source())) {
      expect(batch.voxelsHu.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });

  it('asks for no sample beyond the labels, and closes the source at the end', async () => {
    const source = new Source();
    for await (const { batch } of load(source)) void batch;
    expect(source.asked).toEqual([0, 1, 2, 3, 4]);
    expect(source.isReturned).toBe(true);
    expect(source.closed?.aborted).toBe(true);
  });

  it('gives no batch for no labels', async () => {
    const source = new Source();
    expect(await load(source, { labels: new Uint8Array(0) }).next()).toEqual({
      done: true,
      value: undefined,
    });
    expect(source.asked).toEqual([]);
  });

  it('fills one batch ahead and no more, and leaves the batch in hand as it is', async () => {
    const source = new Source();
    const batches = load(source);
    const { value: first } = await batches.next();
    await turn();
    expect(source.asked).toEqual([0, 1, 2, 3]);
    expect([...first!.batch.voxelsHu]).toEqual([0, -0, 1, -1]);
    const { value: second } = await batches.next();
    await turn();
    expect(source.asked).toEqual([0, 1, 2, 3, 4]);
    expect([...second!.batch.voxelsHu]).toEqual([2, -2, 3, -3]);
    await batches.return();
  });

  it('tells how long the consumer had to wait for each batch', async () => {
    let clockMs = 1000;
    const source = new Source();
    // Samples of the first batch take 30 ms each, of the second none: they come while the consumer works.
    source.onSample = async (ordinal) => {
      await Promise.resolve();
      clockMs += ordinal < 2 ? 30 : 0;
    };
    const stalls: number[] = [];
    for await (const { stallMs } of load(source, { nowMs: () => clockMs })) {
      stalls.push(stallMs);
      await turn();
      clockMs += 500;
    }
    expect(stalls).toEqual([60, 0, 0]);
  });

  it('closes the source when the consumer leaves early', async () => {
    const source = new Source();
    const batches = load(source);
    await batches.next();
    await batches.return();
    expect(source.isReturned).toBe(true);
    expect(source.closed?.aborted).toBe(true);
  });

  it('lets the consumer leave although the source waits for a sample that never comes', async () => {
    const source = new Source();
    source.onSample = (ordinal) =>
      ordinal < 2
        ? undefined
        : new Promise((_, reject) => {
            source.closed!.addEventListener('abort', () => reject(source.closed!.reason as Error));
          });
    const batches = load(source);
    await batches.next();
    await batches.return();
    expect(source.isReturned).toBe(true);
  });

  it('rejects with what the source fails with, once the batches before are taken', async () => {
    const source = new Source();
    source.onSample = (ordinal) => {
      if (ordinal === 3) throw new Error('Cannot make sample 3');
    };
    const batches = load(source);
    expect((await batches.next()).value?.firstOrdinal).toBe(0);
    await turn();
    await expect(batches.next()).rejects.toThrow('Cannot make sample 3');
    expect(source.isReturned).toBe(true);
  });

  it('rejects when the source ends early, naming the ordinal', async () => {
    const batches = load(new Source(3));
    await batches.next();
    await expect(batches.next()).rejects.toThrow('internal: the samples ended at ordinal 3');
  });
});
