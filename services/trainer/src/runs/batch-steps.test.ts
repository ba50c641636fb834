import type { BatchResult } from '@lunastream/engine';
import { describe, expect, it } from 'vitest';
import type { LoadedBatch } from '../supply/batch-loader.ts';
import { batchSteps, type BatchStep, type BatchStepsOptions, type StartedBatch } from './batch-steps.ts';

const RESULT: BatchResult = { losses: Float32Array.of(1), probabilities: Float32Array.of(0.5) };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Batches that are whole when the test says so, an engine that is done when it says so, and what happened, in order. */
class Bench {
  readonly events: string[] = [];
  readonly stalls: number[] = [];
  nowMs = 0;
  readonly steps: AsyncGenerator<BatchStep, void, undefined>;
  readonly #waiting: ((result: IteratorResult<LoadedBatch, void>) => void)[] = [];
  readonly #whole: IteratorResult<LoadedBatch, void>[] = [];
  readonly #underWay = new Map<number, { done: () => void; fail: (error: Error) => void }>();

  constructor(options: Partial<BatchStepsOptions> = {}) {
    this.steps = batchSteps({
      batches: { next: () => this.#next() },
      start: (batch) => this.#start(batch),
      isLookedAtAfter: () => false,
      nowMs: () => this.nowMs,
      ...options,
    });
  }

  whole(firstOrdinal: number): void {
    const batch = { voxelsHu: new Float32Array(1), labels: Uint8Array.of(0), count: 1 };
    const release = () => void this.events.push(`release ${firstOrdinal}`);
    this.#give({ done: false, value: { batch, firstOrdinal, readyMs: this.nowMs, release } });
  }

  end(): void {
    this.#give({ done: true, value: undefined });
  }

  done(firstOrdinal: number): void {
    this.events.push(`done ${firstOrdinal}`);
    this.#underWay.get(firstOrdinal)!.done();
  }

  fail(firstOrdinal: number, error: Error): void {
    this.#underWay.get(firstOrdinal)!.fail(error);
  }

  /** Takes every step, and tells of each. */
  async takeAll(): Promise<void> {
    for await (const { firstOrdinal, result } of this.steps) {
      expect(result).toBe(RESULT);
      this.events.push(`step ${firstOrdinal}`);
    }
  }

  #give(result: IteratorResult<LoadedBatch, void>): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#whole.push(result);
    else waiting(result);
  }

  #next(): Promise<IteratorResult<LoadedBatch, void>> {
    const whole = this.#whole.shift();
    return whole === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(whole);
  }

  #start({ firstOrdinal, stallMs }: StartedBatch): Promise<BatchResult> {
    this.events.push(`start ${firstOrdinal}`);
    this.stalls.push(stallMs);
    return new Promise((resolve, reject) =>
      this.#underWay.set(firstOrdinal, { done: () => resolve(RESULT), fail: reject }),
    );
  }
}

describe('batchSteps()', () => {
  it('hands the engine the next batch while it computes one, never a third', async () => {
    const bench = new Bench();
    for (const ordinal of [0, 1, 2]) bench.whole(ordinal);
    bench.end();
    const taken = bench.takeAll();
    await turn();
    expect(bench.events).toEqual(['start 0', 'start 1']);
    bench.done(0);
    await turn();
    bench.done(1);
    await turn();
    bench.done(2);
    await taken;
    expect(bench.events).toEqual([
      ...['start 0', 'start 1', 'done 0', 'step 0', 'release 0', 'start 2'],
      ...['done 1', 'step 1', 'release 1', 'done 2', 'step 2', 'release 2'],
    ]);
    expect(bench.stalls).toEqual([0, 0, 0]);
  });

  it('tells of a step at once where the next batch is not there yet', async () => {
    const bench = new Bench();
    bench.whole(0);
    const taken = bench.takeAll();
    await turn();
    bench.done(0);
    await turn();
    expect(bench.events).toEqual(['start 0', 'done 0', 'step 0', 'release 0']);
    bench.whole(1);
    await turn();
    bench.done(1);
    bench.end();
    await taken;
    expect(bench.events.slice(-2)).toEqual(['step 1', 'release 1']);
  });

  it('counts as a stall what the engine had nothing to do, not what it had', async () => {
    const bench = new Bench();
    const taken = bench.takeAll();
    await turn();
    // The first batch comes after 50 ms, the second one before the first is done, the third 30 ms after the second is done.
    bench.nowMs = 50;
    bench.whole(0);
    await turn();
    bench.nowMs = 90;
    bench.whole(1);
    await turn();
    bench.nowMs = 100;
    bench.done(0);
    await turn();
    bench.nowMs = 150;
    bench.done(1);
    await turn();
    bench.nowMs = 180;
    bench.whole(2);
    await turn();
    bench.done(2);
    bench.end();
    await taken;
    expect(bench.stalls).toEqual([50, 0, 30]);
  });

  it('hands over nothing while somebody looks at the engine, and counts no stall for it', async () => {
    const bench = new Bench({ isLookedAtAfter: ({ firstOrdinal }) => firstOrdinal === 0 });
    for (const ordinal of [0, 1]) bench.whole(ordinal);
    bench.end();
    const first = bench.steps.next();
    await turn();
    bench.done(0);
    expect((await first).value).toMatchObject({ firstOrdinal: 0 });
    expect(bench.events).toEqual(['start 0', 'done 0']);
    bench.nowMs = 400;
    const second = bench.steps.next();
    await turn();
    expect(bench.events).toEqual(['start 0', 'done 0', 'release 0', 'start 1']);
    bench.done(1);
    expect((await second).value).toMatchObject({ firstOrdinal: 1, stallMs: 0 });
    expect((await bench.steps.next()).done).toBe(true);
  });

  it('fails with the engine, whatever else is under way', async () => {
    const bench = new Bench();
    for (const ordinal of [0, 1]) bench.whole(ordinal);
    const taken = bench.takeAll();
    await turn();
    bench.fail(0, new Error('Cannot run a batch'));
    bench.fail(1, new Error('the engine thread ended'));
    await expect(taken).rejects.toThrow('Cannot run a batch');
  });

  it('fails with the samples, also while the engine computes', async () => {
    let fail!: (error: Error) => void;
    const samples = new Promise<never>((_, reject) => (fail = reject));
    const batch = { voxelsHu: new Float32Array(1), labels: Uint8Array.of(0), count: 1 };
    const asked = [{ batch, firstOrdinal: 0, readyMs: 0, release: () => undefined }];
    const bench = new Bench({
      batches: {
        next: () => {
          const value = asked.shift();
          return value === undefined ? samples : Promise.resolve({ done: false, value });
        },
      },
    });
    const taken = bench.takeAll();
    await turn();
    expect(bench.events).toEqual(['start 0']);
    fail(new Error('Cannot make sample 1'));
    await expect(taken).rejects.toThrow('Cannot make sample 1');
  });
});
