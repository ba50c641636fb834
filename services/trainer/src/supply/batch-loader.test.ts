import { describe, expect, it } from 'vitest';
import { BatchBuffers, BatchMemory } from './batch-buffers.ts';
import { BatchLoader, type BatchLoaderOptions } from './batch-loader.ts';
import type { SampleStream } from './sample-source.ts';

const CHUNK_SHAPE = { depth: 1, height: 1, width: 2 };
const BATCH_LENGTH = 4;
const BATCH_BYTES = 16;
const LABELS = Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 1, 1);

/** A stream whose samples hold their ordinal; batches are filled when the test says so, or at once. */
class Stream implements SampleStream {
  readonly asked: number[] = [];
  readonly #fills: (() => void)[] = [];
  readonly #rejects: ((error: Error) => void)[] = [];
  readonly #isManual: boolean;
  closed: Error | undefined;

  constructor({ manual = false } = {}) {
    this.#isManual = manual;
  }

  fill(firstOrdinal: number, target: Float32Array): Promise<void> {
    this.asked.push(firstOrdinal);
    return new Promise((resolve, reject) => {
      this.#rejects.push(reject);
      const fill = () => {
        for (let at = 0; at < target.length; at++) target[at] = firstOrdinal + Math.floor(at / 2);
        resolve();
      };
      if (this.#isManual) this.#fills.push(fill);
      else fill();
    });
  }

  fillNext(): void {
    this.#fills.shift()!();
  }

  fail(error: Error): void {
    for (const reject of this.#rejects) reject(error);
  }

  borderFraction(): number {
    return 0;
  }

  close(reason: Error): void {
    this.closed ??= reason;
    this.fail(reason);
  }
}

const load = (stream: Stream, options: Partial<BatchLoaderOptions> = {}) =>
  new BatchLoader({
    stream,
    labels: LABELS,
    batchSize: 2,
    chunkShape: CHUNK_SHAPE,
    buffers: new BatchBuffers(BATCH_LENGTH, 4 * BATCH_BYTES, new BatchMemory()),
    nowMs: () => 0,
    ...options,
  });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('BatchLoader', () => {
  it('fills batches in order, voxels beside their labels, the last one short, in shared memory', async () => {
    const batches = [];
    for await (const { batch, firstOrdinal, release } of load(new Stream()).batches()) {
      expect(batch.voxelsHu.buffer).toBeInstanceOf(SharedArrayBuffer);
      batches.push([firstOrdinal, batch.count, [...batch.voxelsHu], [...batch.labels]]);
      release();
    }
    expect(batches).toEqual([
      [0, 2, [0, 0, 1, 1], [1, 0]],
      [2, 2, [2, 2, 3, 3], [0, 1]],
      [4, 2, [4, 4, 5, 5], [0, 1]],
      [6, 2, [6, 6, 7, 7], [0, 1]],
      [8, 1, [8, 8], [1]],
    ]);
  });

  it('begins at once, as far ahead as there are buffers, and goes on when one comes free', async () => {
    const stream = new Stream();
    const batches = load(stream).batches();
    await turn();
    expect(stream.asked).toEqual([0, 2, 4, 6]);
    const { value: first } = await batches.next();
    await batches.next();
    await turn();
    expect(stream.asked).toEqual([0, 2, 4, 6]);
    expect([...first!.batch.voxelsHu]).toEqual([0, 0, 1, 1]);
    first!.release();
    await turn();
    expect(stream.asked).toEqual([0, 2, 4, 6, 8]);
    await batches.return();
  });

  it('begins where a checkpoint says', async () => {
    const stream = new Stream();
    const firsts = [];
    for await (const { firstOrdinal } of load(stream, { firstOrdinal: 6 }).batches())
      firsts.push(firstOrdinal);
    expect(firsts).toEqual([6, 8]);
    expect(stream.asked).toEqual([6, 8]);
  });

  it('says once when every batch is being filled, also when there is none', async () => {
    for (const labels of [LABELS, LABELS.slice(0, 4), new Uint8Array(0)]) {
      let called = 0;
      const loader = load(new Stream(), { labels, onAllAsked: () => called++ });
      await turn();
      expect(called).toBe(labels.length <= 8 ? 1 : 0);
      for await (const { release } of loader.batches()) release();
      await turn();
      expect(called).toBe(1);
    }
  });

  it('shares buffers with the next pass, which gets what this one leaves over', async () => {
    const buffers = new BatchBuffers(BATCH_LENGTH, 4 * BATCH_BYTES, new BatchMemory());
    const next = new Stream();
    let nextLoader: BatchLoader | undefined;
    const first = load(new Stream(), {
      buffers,
      onAllAsked: () => (nextLoader = load(next, { buffers })),
    });
    const taken = [];
    for await (const { firstOrdinal, release } of first.batches()) {
      await turn();
      taken.push([firstOrdinal, next.asked.length]);
      release();
    }
    expect(taken).toEqual([
      [0, 0],
      [2, 0],
      [4, 1],
      [6, 2],
      [8, 3],
    ]);
    nextLoader!.close(new Error('seen'));
  });

  it('tells when each batch was whole', async () => {
    let clockMs = 1000;
    const stream = new Stream({ manual: true });
    const batches = load(stream, { nowMs: () => clockMs }).batches();
    const first = batches.next();
    await turn();
    clockMs += 60;
    stream.fillNext();
    expect((await first).value?.readyMs).toBe(1060);
    const second = batches.next();
    stream.fillNext();
    await turn();
    clockMs += 500;
    expect((await second).value?.readyMs).toBe(1060);
    await batches.return();
  });

  it('closes the stream at the end, and when the consumer leaves early', async () => {
    const whole = new Stream();
    for await (const { release } of load(whole).batches()) release();
    expect(whole.closed).toBeDefined();
    const left = new Stream({ manual: true });
    const batches = load(left).batches();
    const first = batches.next();
    await turn();
    left.fillNext();
    await first;
    await batches.return();
    expect(left.closed).toBeDefined();
  });

  it('gives whoever waits, or asks later, the reason when it is closed', async () => {
    const waited = load(new Stream({ manual: true }));
    const waiting = waited.batches().next();
    await turn();
    waited.close(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    const closed = load(new Stream());
    await turn();
    closed.close(new Error('stopped'));
    await expect(closed.batches().next()).rejects.toThrow('stopped');
  });

  it('rejects with what the stream fails with', async () => {
    const stream = new Stream({ manual: true });
    const batches = load(stream).batches();
    const first = batches.next();
    await turn();
    stream.fail(new Error('Cannot make sample 1'));
    await expect(first).rejects.toThrow('Cannot make sample 1');
    expect(stream.closed).toBeDefined();
  });
});

describe('BatchBuffers', () => {
  it('has as many buffers as the bytes hold, at least four, and gives them out in the order asked', async () => {
    const buffers = new BatchBuffers(BATCH_LENGTH, 1, new BatchMemory());
    const taken: Float32Array[] = [];
    while (taken.length < 4) taken.push(await buffers.acquire());
    const order: string[] = [];
    void buffers.acquire().then(() => order.push('first'));
    void buffers.acquire().then(() => order.push('second'));
    await turn();
    expect(order).toEqual([]);
    buffers.release(taken[1]!);
    await turn();
    expect(order).toEqual(['first']);
    buffers.release(taken[0]!);
    await turn();
    expect(order).toEqual(['first', 'second']);
  });

  it('uses a buffer again', async () => {
    const buffers = new BatchBuffers(BATCH_LENGTH, 10 * BATCH_BYTES, new BatchMemory());
    const first = await buffers.acquire();
    buffers.release(first);
    expect(await buffers.acquire()).toBe(first);
  });

  it('use the memory of a run that ended, where the size is the same', async () => {
    const memory = new BatchMemory();
    const ended = new BatchBuffers(BATCH_LENGTH, 1, memory);
    const taken = [await ended.acquire(), await ended.acquire()];
    const other = new BatchBuffers(BATCH_LENGTH, 1, memory);
    const memoryOf = ({ buffer }: Float32Array) => buffer;
    expect(taken.map(memoryOf)).not.toContain((await other.acquire()).buffer);
    ended.close();
    const next = new BatchBuffers(BATCH_LENGTH, 1, memory);
    const again = [await next.acquire(), await next.acquire(), await next.acquire()];
    const memories = new Set(again.map(memoryOf));
    expect(memories.size).toBe(3);
    expect(taken.every((buffer) => memories.has(memoryOf(buffer)))).toBe(true);
    next.close();
    const larger = await new BatchBuffers(2 * BATCH_LENGTH, 1, memory).acquire();
    expect(larger.length).toBe(2 * BATCH_LENGTH);
  });
});
