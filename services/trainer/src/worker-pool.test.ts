import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeWorker, grpcError } from '../test/fake-worker.ts';
import { breakAfter, inTurn, never, OPTIONS, planOf, settle, upTo } from '../test/lease-bench.ts';
import { LeaseScheduler } from './lease-scheduler.ts';

// The pool as the scheduler uses it: what a worker's failures do to the leases that follow.

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a worker that fails', () => {
  it('rests 100 ms, then twice as long with every failure in a row, at most 2 s', async () => {
    const worker = new FakeWorker('a', inTurn(...upTo(7).map(() => breakAfter(0))));
    const taken = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 })
      .stream(planOf(1), never)
      .next();
    for (const restMs of [100, 200, 400, 800, 1600, 2000, 2000]) {
      await settle();
      const asked = worker.leases.length;
      vi.advanceTimersByTime(restMs - 1);
      await settle();
      expect(worker.leases.length).toBe(asked);
      vi.advanceTimersByTime(1);
      await settle();
      expect(worker.leases.length).toBe(asked + 1);
    }
    expect((await taken).value).toEqual(Float32Array.of(0, 0));
  });

  it('counts leases that break together once', async () => {
    const worker = new FakeWorker('a', inTurn(...upTo(4).map(() => breakAfter(0))));
    const next = new LeaseScheduler([worker], OPTIONS).stream(planOf(8), never).next();
    await settle();
    expect(worker.leases.length).toBe(2);
    vi.advanceTimersByTime(100);
    await settle();
    expect(worker.leases.length).toBe(4);
    // The second break in a row, although four leases broke.
    vi.advanceTimersByTime(200);
    expect((await next).done).toBe(false);
  });

  it('begins again at 100 ms once it has answered', async () => {
    const worker = new FakeWorker('a', inTurn(breakAfter(0), breakAfter(0), breakAfter(1)));
    const samples = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 }).stream(planOf(2), never);
    const first = samples.next();
    for (const restMs of [100, 200]) {
      await settle();
      vi.advanceTimersByTime(restMs);
    }
    await first;
    const second = samples.next();
    await settle();
    vi.advanceTimersByTime(100);
    expect((await second).value).toEqual(Float32Array.of(1, 1));
  });

  it('leaves its share to the others while it rests', async () => {
    const broken = new FakeWorker('a', breakAfter(0));
    const healthy = new FakeWorker('b');
    const scheduler = new LeaseScheduler([broken, healthy], { ...OPTIONS, leasesPerWorker: 1 });
    const taken: number[] = [];
    for await (const [first] of scheduler.stream(planOf(20), never)) taken.push(first!);
    expect(taken).toEqual(upTo(20));
    expect(broken.leases.length).toBe(1);
  });

  it('is asked by the run after the one in which it failed, once it has rested', async () => {
    const worker = new FakeWorker('a', inTurn(breakAfter(0)));
    const scheduler = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 });
    const stop = new AbortController();
    const stopped = scheduler.stream(planOf(4), stop.signal).next();
    await settle();
    stop.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    const next = scheduler.stream(planOf(4), never).next();
    await settle();
    vi.advanceTimersByTime(100);
    expect((await next).value).toEqual(Float32Array.of(0, 0));
  });
});

describe('LeaseScheduler.waitingFor()', () => {
  it('names every worker with its last error while none answers, and nothing once one does', async () => {
    const workers = [
      new FakeWorker('10.0.0.1:50052', inTurn(breakAfter(0, grpcError(status.UNAVAILABLE, 'no route')))),
      new FakeWorker('10.0.0.2:50052', breakAfter(0, grpcError(status.UNAVAILABLE, 'draining'))),
    ];
    const scheduler = new LeaseScheduler(workers, { ...OPTIONS, leasesPerWorker: 1 });
    expect(scheduler.waitingFor()).toBeUndefined();
    const next = scheduler.stream(planOf(8), never).next();
    await settle();
    expect(scheduler.waitingFor()).toBe(
      'augmentation workers: 10.0.0.1:50052 (no route), 10.0.0.2:50052 (draining)',
    );
    vi.advanceTimersByTime(100);
    await next;
    expect(scheduler.waitingFor()).toBeUndefined();
  });
});
