import { status } from '@grpc/grpc-js';
import { NO_AUGMENTATION, VoxelInspector } from '@lunastream/augmentation';
import { BorderRule, VoxelType } from '@lunastream/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answerAll,
  answerNever,
  errorAnswer,
  FakeWorker,
  grpcError,
  sampleAnswer,
} from '../../test/fake-worker.ts';
import {
  breakAfter,
  CHUNK_SHAPE,
  collect,
  FAKE_TIMERS,
  inTurn,
  leaseBench,
  ordinalsIn,
  places,
  planOf,
  SAMPLE_BYTES,
  settle,
  turn,
  untilSettled,
  upTo,
} from '../../test/lease-bench.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: [...FAKE_TIMERS.toFake] });
});
afterEach(() => {
  vi.useRealTimers();
});

const ordinalsOf = (worker: FakeWorker) => worker.leases.map(({ ordinals }) => ordinals);
const asksOf = (workers: readonly FakeWorker[]) => {
  const asks = new Map<number, number>();
  for (const ordinal of workers.flatMap(ordinalsOf).flat()) asks.set(ordinal, (asks.get(ordinal) ?? 0) + 1);
  return asks;
};

describe('the streams of LeaseScheduler', () => {
  it.each([1, 2, 5])('write each sample exactly once, to its place, with %i workers', async (count) => {
    const workers = upTo(count).map((index) => new FakeWorker(`worker-${index}`));
    const { open, scheduler } = leaseBench(workers);
    const options = { batchSize: 7, batchesAhead: 3 };
    expect(await collect(open(planOf(50)), 50, options)).toEqual(upTo(50));
    expect([...asksOf(workers).values()]).toEqual(upTo(50).map(() => 1));
    expect(scheduler.counts).toMatchObject({
      samples: 50,
      sampleBytes: 50 * SAMPLE_BYTES,
      brokenLeases: 0,
      duplicateSamples: 0,
      awaitedBytes: 0,
    });
  });

  it('ask with the whole plan: seed, epoch, shape, fingerprint, centres', async () => {
    const worker = new FakeWorker('a');
    await collect(leaseBench([worker]).open(planOf(2)), 2);
    expect(worker.leases[0]!.request).toEqual({
      leaseId: '7/3/0+2',
      dataset: 'default',
      datasetFingerprint: 'f00d',
      runSeed: 7,
      epoch: 3,
      chunkShape: CHUNK_SHAPE,
      augmentation: NO_AUGMENTATION,
      margin: false,
      voxelType: VoxelType.FLOAT32,
      border: BorderRule.SHIFT,
      samples: [
        { ordinal: 0, seriesUid: '1.2.0', centerXyzMm: { x: 0, y: 2, z: 3 }, partner: undefined },
        { ordinal: 1, seriesUid: '1.2.1', centerXyzMm: { x: 1, y: 2, z: 3 }, partner: undefined },
      ],
    });
  });

  it('ask for float16 where the plan says so, and widen what comes', async () => {
    const worker = new FakeWorker('a', async function* ({ request: { voxelType }, ordinals }) {
      // 1.5 as float16, twice, from an odd byte on.
      const voxelsHu = Buffer.of(0, 0x00, 0x3e, 0x00, 0x3e).subarray(1);
      for (const ordinal of ordinals) {
        const { checksum: voxelsChecksum } = new VoxelInspector().inspect(voxelsHu, 'float16');
        const value = { shape: CHUNK_SHAPE, voxelsHu, borderFraction: 0, voxelType, voxelsChecksum };
        yield await Promise.resolve({ ordinal, result: { $case: 'sample' as const, value } });
      }
    });
    const plan = { ...planOf(2), voxelType: 'float16' as const };
    const { open, scheduler } = leaseBench([worker]);
    expect(await collect(open(plan), 2)).toEqual([1.5, 1.5]);
    expect(worker.leases[0]!.request.voxelType).toBe(VoxelType.FLOAT16);
    expect(scheduler.counts).toMatchObject({ sampleBytes: 8, awaitedBytes: 0 });
  });

  it('name the partner of a sample that is to be mixed', async () => {
    const worker = new FakeWorker('a');
    const plan = planOf(3);
    const samples = plan.samples.map((sample, ordinal) =>
      ordinal === 1 ? { ...sample, partnerOrdinal: 2 } : sample,
    );
    await collect(leaseBench([worker]).open({ ...plan, samples }), 3);
    expect(worker.leases[0]!.request.samples.map(({ partner }) => partner)).toEqual([
      undefined,
      { ordinal: 2, seriesUid: '1.2.2', centerXyzMm: { x: 2, y: 2, z: 3 } },
      undefined,
    ]);
  });

  it('tell the mean share of border voxels', async () => {
    const stream = leaseBench([new FakeWorker('a')]).open(planOf(4));
    expect(stream.borderFraction()).toBe(0);
    await collect(stream, 4);
    // The fake worker says 0, 1/2, 0, 1/2.
    expect(stream.borderFraction()).toBe(0.25);
  });

  it('begin anywhere: a run that goes on within an epoch asks for nothing before', async () => {
    const worker = new FakeWorker('a');
    const target = places(3);
    await untilSettled(leaseBench([worker]).open(planOf(10)).fill(7, target));
    expect(ordinalsIn(target)).toEqual([7, 8, 9]);
    expect(ordinalsOf(worker)).toEqual([[7, 8, 9]]);
  });

  it('lose and repeat nothing, whatever the speeds of the workers and wherever leases break', async () => {
    const workerPlans = fc.array(
      fc.record({
        turnsPerSample: fc.nat({ max: 3 }),
        /** After how many samples the worker's first leases break; undefined does not. */
        breaks: fc.array(fc.option(fc.nat({ max: 5 }), { nil: undefined }), { maxLength: 6 }),
        endsQuietly: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    );
    const settings = fc.record({
      length: fc.integer({ min: 1, max: 60 }),
      batchSize: fc.integer({ min: 1, max: 12 }),
      batchesAhead: fc.integer({ min: 0, max: 5 }),
      leaseSize: fc.integer({ min: 1, max: 9 }),
      leasesPerWorker: fc.integer({ min: 1, max: 3 }),
      // Leases of the slow ones are hedged in some cases and in others not.
      hedgeAfterMs: fc.constantFrom(50, 100_000),
    });
    await fc.assert(
      fc.asyncProperty(
        workerPlans,
        settings,
        async (plans, { length, batchSize, batchesAhead, ...options }) => {
          const workers = plans.map(
            ({ turnsPerSample, breaks, endsQuietly }, index) =>
              new FakeWorker(`worker-${index}`, async function* (lease) {
                const sent = breaks[lease.index] ?? Infinity;
                for (const ordinal of lease.ordinals.slice(0, sent)) {
                  await settle(turnsPerSample);
                  yield sampleAnswer(lease.request, ordinal);
                }
                if (sent < lease.ordinals.length && !endsQuietly) throw grpcError(status.UNAVAILABLE, 'gone');
              }),
          );
          const { open, scheduler } = leaseBench(workers, options);
          expect(await collect(open(planOf(length)), length, { batchSize, batchesAhead })).toEqual(
            upTo(length),
          );
          const { samples, brokenLeases, hedgedLeases, awaitedBytes } = scheduler.counts;
          expect({ samples, awaitedBytes }).toEqual({ samples: length, awaitedBytes: 0 });
          const repeats = [...asksOf(workers).values()].reduce((sum, asks) => sum + asks - 1, 0);
          expect(repeats).toBeLessThanOrEqual((brokenLeases + hedgedLeases) * options.leaseSize);
          // A stream that is cancelled, because a hedge was faster, closes a moment after its lease ended.
          for (const worker of workers)
            expect(worker.mostOpen).toBeLessThanOrEqual(options.leasesPerWorker + hedgedLeases);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lease what a broken lease still owed, and nothing else of it, before anything new', async () => {
    const breaking = new FakeWorker('a', inTurn(breakAfter(2)));
    const healthy = new FakeWorker('b', inTurn(answerNever));
    const { open } = leaseBench([breaking, healthy], { leasesPerWorker: 1, hedgeAfterMs: 100_000 });
    const stream = open(planOf(12));
    void stream.fill(0, places(12)).catch(() => undefined);
    await settle();
    vi.advanceTimersByTime(100);
    await settle();
    expect(ordinalsOf(breaking)).toEqual([
      [0, 1, 2, 3],
      [2, 3],
      [8, 9, 10, 11],
    ]);
    expect(ordinalsOf(healthy)).toEqual([[4, 5, 6, 7]]);
    stream.close(new Error('seen'));
  });

  it('lease the lowest ordinals of broken leases first, whichever broke first', async () => {
    let breakFirst = () => {};
    const first = new FakeWorker(
      'a',
      inTurn(async function* (lease) {
        await new Promise<void>((resolve) => (breakFirst = resolve));
        yield* breakAfter(0)(lease);
      }),
    );
    const second = new FakeWorker('b', inTurn(breakAfter(0)));
    const filled = leaseBench([first, second], { leasesPerWorker: 1 }).open(planOf(8)).fill(0, places(8));
    await settle();
    breakFirst();
    await settle();
    vi.advanceTimersByTime(100);
    await untilSettled(filled);
    // The second worker has rested first: it gets what the consumer waits for, not what it owed itself.
    expect(second.leases.map(({ ordinals }) => ordinals[0])).toEqual([4, 0]);
    expect(first.leases.map(({ ordinals }) => ordinals[0])).toEqual([0, 4]);
  });

  it('ask the worker with the fewest leases, the first among equals', async () => {
    const workers = ['a', 'b', 'c'].map((address) => new FakeWorker(address, answerNever));
    const stream = leaseBench(workers).open(planOf(20));
    void stream.fill(0, places(20)).catch(() => undefined);
    await settle();
    expect(workers.map(({ leases }) => leases.map(({ ordinals }) => ordinals[0]))).toEqual([
      [0, 12],
      [4, 16],
      [8],
    ]);
    stream.close(new Error('seen'));
  });

  it('lease nothing that has no place: what is asked for bounds what is under way', async () => {
    const worker = new FakeWorker('a');
    const { open, scheduler } = leaseBench([worker], { leasesPerWorker: 9 });
    const stream = open(planOf(100));
    const first = stream.fill(0, places(8));
    const second = stream.fill(8, places(8));
    expect(scheduler.counts.awaitedBytes).toBe(16 * SAMPLE_BYTES);
    await untilSettled(Promise.all([first, second]));
    expect(ordinalsOf(worker).flat()).toEqual(upTo(16));
    expect(scheduler.counts.awaitedBytes).toBe(0);
    stream.close(new Error('seen'));
  });

  it('give a lease of a few to a worker that idles, never to one that works', async () => {
    const worker = new FakeWorker('a', answerNever);
    const stream = leaseBench([worker], { leasesPerWorker: 9 }).open(planOf(100));
    for (const first of [0, 2, 4]) void stream.fill(first, places(2)).catch(() => undefined);
    await settle();
    // Two at once, because nothing else was there; then a whole lease.
    expect(ordinalsOf(worker)).toEqual([
      [0, 1],
      [2, 3, 4, 5],
    ]);
    stream.close(new Error('seen'));
  });

  it('serve the stream first that was opened first', async () => {
    const worker = new FakeWorker('a', answerNever);
    const { open } = leaseBench([worker], { leasesPerWorker: 1 });
    const first = open(planOf(8));
    const second = open({ ...planOf(4), epoch: 4 });
    for (const [stream, count] of [
      [second, 4],
      [first, 8],
    ] as const) {
      void stream.fill(0, places(count)).catch(() => undefined);
    }
    second.close(new Error('seen'));
    await settle();
    expect(worker.leases.map(({ request }) => request.epoch)).toEqual([4, 3]);
    first.close(new Error('seen'));
  });

  it.each([status.INVALID_ARGUMENT, status.NOT_FOUND, status.FAILED_PRECONDITION])(
    'fail when a worker refuses with status %i, naming the first ordinal of the lease',
    async (code) => {
      const worker = new FakeWorker('a', inTurn(answerAll, breakAfter(0, grpcError(code, 'it must be so'))));
      const { open } = leaseBench([worker], { leasesPerWorker: 1 });
      await expect(collect(open(planOf(8)), 8)).rejects.toMatchObject({
        tag: 'SampleUnavailableError',
        ordinal: 4,
        message: 'Cannot make sample 4: it must be so',
      });
      expect(worker.leases.length).toBe(2);
    },
  );

  it('fail at a sample that cannot be made, naming its ordinal and the reason', async () => {
    const worker = new FakeWorker('a', async function* ({ request }) {
      await turn();
      yield sampleAnswer(request, 0);
      yield errorAnswer(1, 'scan 1.2.1 is truncated');
    });
    await expect(collect(leaseBench([worker]).open(planOf(4)), 4)).rejects.toMatchObject({
      tag: 'SampleUnavailableError',
      ordinal: 1,
      message: 'Cannot make sample 1: scan 1.2.1 is truncated',
    });
    expect(worker.leases.length).toBe(1);
  });

  it('reject with the reason of close, cancel every lease, and write nothing more', async () => {
    const workers = ['a', 'b'].map((address) => new FakeWorker(address, answerNever));
    const { open, scheduler } = leaseBench(workers);
    const stream = open(planOf(40));
    const filled = stream.fill(0, places(40));
    filled.catch(() => undefined);
    await settle();
    expect(workers.map(({ openCount }) => openCount)).toEqual([2, 2]);
    stream.close(new Error('stopped by hand'));
    await expect(filled).rejects.toThrow('stopped by hand');
    await expect(stream.fill(40, places(1))).rejects.toThrow('stopped by hand');
    await settle();
    expect(workers.map(({ openCount }) => openCount)).toEqual([0, 0]);
    expect(scheduler.counts).toMatchObject({ openLeases: 0, awaitedBytes: 0 });
  });

  it('go on in the next pass although leases of the last one are still closing', async () => {
    // The last sample of the pass arrives before its stream ends; the only lease of the only worker is not free yet.
    const worker = new FakeWorker(
      'a',
      inTurn(async function* (lease) {
        yield* answerAll(lease);
        await new Promise(() => undefined);
      }),
    );
    const { open } = leaseBench([worker], { leasesPerWorker: 1 });
    expect(await collect(open(planOf(4)), 4)).toEqual(upTo(4));
    expect(await collect(open(planOf(4)), 4)).toEqual(upTo(4));
  });
});

describe('a slow lease', () => {
  it('is hedged: another worker gets what it owes, and what comes second is dropped', async () => {
    let goOn = () => {};
    const slow = new FakeWorker('slow', async function* ({ request, ordinals }) {
      yield await Promise.resolve(sampleAnswer(request, ordinals[0]!));
      await new Promise<void>((resolve) => (goOn = resolve));
      for (const ordinal of ordinals.slice(1)) yield sampleAnswer(request, ordinal);
    });
    const fast = new FakeWorker('fast');
    const { open, scheduler } = leaseBench([slow, fast], { leasesPerWorker: 1 });
    const stream = open(planOf(8));
    const first = places(8);
    const filled = stream.fill(0, first);
    await settle();
    expect(ordinalsOf(fast)).toEqual([[4, 5, 6, 7]]);
    vi.advanceTimersByTime(1_000);
    await filled;
    expect(ordinalsIn(first)).toEqual(upTo(8));
    expect(ordinalsOf(fast)).toEqual([
      [4, 5, 6, 7],
      [1, 2, 3],
    ]);
    goOn();
    await settle();
    expect(slow.openCount).toBe(0);
    expect(scheduler.counts).toMatchObject({
      samples: 8,
      hedgedLeases: 1,
      duplicateSamples: 1,
      openLeases: 0,
    });
    stream.close(new Error('seen'));
  });

  it('is hedged once, and never to the worker that holds it', async () => {
    const workers = ['a', 'b', 'c'].map((address) => new FakeWorker(address, answerNever));
    const { open, scheduler } = leaseBench(workers);
    const stream = open(planOf(4));
    void stream.fill(0, places(4)).catch(() => undefined);
    for (let second = 0; second < 10; second++) {
      vi.advanceTimersByTime(1_000);
      await settle(3);
    }
    expect(workers.map(({ leases }) => leases.length)).toEqual([1, 1, 0]);
    expect(scheduler.counts.hedgedLeases).toBe(1);
    stream.close(new Error('seen'));
  });

  it('keeps new leases from its worker while nothing of it comes', async () => {
    let wake = () => {};
    const paused = new FakeWorker(
      'paused',
      inTurn(async function* (lease) {
        await new Promise<void>((resolve) => (wake = resolve));
        yield* answerAll(lease);
      }),
    );
    const other = new FakeWorker('other');
    const { open, pool } = leaseBench([paused, other]);
    const stream = open(planOf(1000));
    await settle();
    const first = stream.fill(0, places(4));
    vi.advanceTimersByTime(1_000);
    await untilSettled(first);
    expect(pool.workers[0]).toMatchObject({ isSilent: true });
    expect(pool.waitingFor()).toBeUndefined();
    await untilSettled(stream.fill(4, places(8)));
    expect(ordinalsOf(paused)).toEqual([upTo(4)]);
    wake();
    await settle();
    await untilSettled(stream.fill(12, places(8)));
    expect(paused.leases.length).toBe(2);
    stream.close(new Error('seen'));
  });
});
