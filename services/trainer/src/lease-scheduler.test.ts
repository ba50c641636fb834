import { status } from '@grpc/grpc-js';
import { NO_AUGMENTATION } from '@lunastream/augmentation';
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
} from '../test/fake-worker.ts';
import {
  breakAfter,
  CHUNK_SHAPE,
  inTurn,
  never,
  OPTIONS,
  planOf,
  SAMPLE_BYTES,
  settle,
  turn,
  upTo,
} from '../test/lease-bench.ts';
import { SampleUnavailableError } from './errors.ts';
import { LeaseScheduler } from './lease-scheduler.ts';

/** First voxels of everything that `samples` gives, while time goes on. */
async function collect(samples: AsyncIterable<Float32Array>): Promise<number[]> {
  const taken: number[] = [];
  let isDone = false;
  const reading = (async () => {
    for await (const [first, second] of samples) {
      expect(second).toBe(first);
      taken.push(first!);
    }
  })().finally(() => (isDone = true));
  reading.catch(() => undefined);
  while (!isDone) {
    await turn();
    vi.advanceTimersByTime(25);
  }
  await reading;
  return taken;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('LeaseScheduler.stream()', () => {
  it.each([1, 2, 5])('gives each sample exactly once, in ordinal order, with %i workers', async (count) => {
    const workers = upTo(count).map((index) => new FakeWorker(`worker-${index}`));
    const scheduler = new LeaseScheduler(workers, OPTIONS);
    expect(await collect(scheduler.stream(planOf(50), never))).toEqual(upTo(50));
    const asked = workers.flatMap(({ leases }) => leases.flatMap(({ ordinals }) => ordinals));
    expect(asked.sort((a, b) => a - b)).toEqual(upTo(50));
  });

  it('asks with the whole plan: seed, epoch, shape, fingerprint, centres', async () => {
    const worker = new FakeWorker('a');
    await collect(new LeaseScheduler([worker], OPTIONS).stream(planOf(2), never));
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

  it('asks for float16 where the plan says so, and widens what comes', async () => {
    const worker = new FakeWorker('a', async function* ({ request: { voxelType }, ordinals }) {
      // 1.5 as float16, twice, from an odd byte on.
      const voxelsHu = Buffer.of(0, 0x00, 0x3e, 0x00, 0x3e).subarray(1);
      for (const ordinal of ordinals) {
        const value = { shape: CHUNK_SHAPE, voxelsHu, borderFraction: 0, voxelType };
        yield await Promise.resolve({ ordinal, result: { $case: 'sample' as const, value } });
      }
    });
    const plan = { ...planOf(2), voxelType: 'float16' as const };
    expect(await collect(new LeaseScheduler([worker], OPTIONS).stream(plan, never))).toEqual([1.5, 1.5]);
    expect(worker.leases[0]!.request.voxelType).toBe(VoxelType.FLOAT16);
  });

  it('names the partner of a sample that is to be mixed', async () => {
    const worker = new FakeWorker('a');
    const plan = planOf(3);
    const samples = plan.samples.map((sample, ordinal) =>
      ordinal === 1 ? { ...sample, partnerOrdinal: 2 } : sample,
    );
    await collect(new LeaseScheduler([worker], OPTIONS).stream({ ...plan, samples }, never));
    expect(worker.leases[0]!.request.samples.map(({ partner }) => partner)).toEqual([
      undefined,
      { ordinal: 2, seriesUid: '1.2.2', centerXyzMm: { x: 2, y: 2, z: 3 } },
      undefined,
    ]);
  });

  it('tells the mean share of border voxels of the latest stream', async () => {
    const scheduler = new LeaseScheduler([new FakeWorker('a')], OPTIONS);
    expect(scheduler.borderFraction()).toBe(0);
    await collect(scheduler.stream(planOf(4), never));
    // The fake worker says 0, 1/2, 0, 1/2.
    expect(scheduler.borderFraction()).toBe(0.25);
  });

  it('gives nothing for an empty plan and asks nobody', async () => {
    const worker = new FakeWorker('a');
    expect(await collect(new LeaseScheduler([worker], OPTIONS).stream(planOf(0), never))).toEqual([]);
    expect(worker.leases).toEqual([]);
  });

  it('loses and repeats nothing, whatever the speeds of the workers and wherever leases break', async () => {
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
      leaseSize: fc.integer({ min: 1, max: 9 }),
      leasesPerWorker: fc.integer({ min: 1, max: 3 }),
      windowSamples: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(workerPlans, settings, async (plans, { length, windowSamples, ...options }) => {
        const brokenAsks = new Map<number, number>();
        const workers = plans.map(
          ({ turnsPerSample, breaks, endsQuietly }, index) =>
            new FakeWorker(`worker-${index}`, async function* (lease) {
              const sent = breaks[lease.index] ?? Infinity;
              if (sent < lease.ordinals.length) {
                for (const ordinal of lease.ordinals)
                  brokenAsks.set(ordinal, (brokenAsks.get(ordinal) ?? 0) + 1);
              }
              for (const ordinal of lease.ordinals.slice(0, sent)) {
                await settle(turnsPerSample);
                yield sampleAnswer(lease.request, ordinal);
              }
              if (sent < lease.ordinals.length && !endsQuietly) throw grpcError(status.UNAVAILABLE, 'gone');
            }),
        );
        const scheduler = new LeaseScheduler(workers, {
          ...options,
          bufferBytes: windowSamples * SAMPLE_BYTES,
        });
        expect(await collect(scheduler.stream(planOf(length), never))).toEqual(upTo(length));
        const asks = new Map<number, number>();
        for (const ordinal of workers.flatMap(({ leases }) => leases.flatMap(({ ordinals }) => ordinals)))
          asks.set(ordinal, (asks.get(ordinal) ?? 0) + 1);
        for (const [ordinal, count] of asks)
          expect(count).toBeLessThanOrEqual(1 + (brokenAsks.get(ordinal) ?? 0));
        for (const worker of workers) expect(worker.mostOpen).toBeLessThanOrEqual(options.leasesPerWorker);
      }),
      { numRuns: 60 },
    );
  });

  it('leases what a broken lease still owed, and nothing else of it, before anything new', async () => {
    const breaking = new FakeWorker('a', inTurn(breakAfter(2)));
    const healthy = new FakeWorker('b', inTurn(answerNever));
    const scheduler = new LeaseScheduler([breaking, healthy], { ...OPTIONS, leasesPerWorker: 1 });
    const samples = scheduler.stream(planOf(12), never);
    for (const ordinal of [0, 1]) expect((await samples.next()).value?.[0]).toBe(ordinal);
    const third = samples.next();
    await settle();
    vi.advanceTimersByTime(100);
    expect((await third).value?.[0]).toBe(2);
    await settle();
    expect(breaking.leases.map(({ ordinals }) => ordinals)).toEqual([
      [0, 1, 2, 3],
      [2, 3],
      [8, 9, 10, 11],
    ]);
    expect(healthy.leases.map(({ ordinals }) => ordinals)).toEqual([[4, 5, 6, 7]]);
  });

  it('leases the lowest ordinals of broken leases first, whichever broke first', async () => {
    let breakFirst = () => {};
    const first = new FakeWorker(
      'a',
      inTurn(async function* (lease) {
        await new Promise<void>((resolve) => (breakFirst = resolve));
        yield* breakAfter(0)(lease);
      }),
    );
    const second = new FakeWorker('b', inTurn(breakAfter(0)));
    const scheduler = new LeaseScheduler([first, second], { ...OPTIONS, leasesPerWorker: 1 });
    const next = scheduler.stream(planOf(8), never).next();
    await settle();
    breakFirst();
    await settle();
    vi.advanceTimersByTime(100);
    await next;
    // The second worker has rested first: it gets what the consumer waits for, not what it owed itself.
    expect(second.leases.map(({ ordinals }) => ordinals[0])).toEqual([4, 0]);
    expect(first.leases.map(({ ordinals }) => ordinals[0])).toEqual([0, 4]);
  });

  it('asks the worker with the fewest leases, the first among equals', async () => {
    const workers = ['a', 'b', 'c'].map((address) => new FakeWorker(address, answerNever));
    const scheduler = new LeaseScheduler(workers, OPTIONS);
    void scheduler.stream(planOf(20), never).next();
    await settle();
    expect(workers.map(({ leases }) => leases.map(({ ordinals }) => ordinals[0]))).toEqual([
      [0, 12],
      [4, 16],
      [8],
    ]);
  });

  it('leases no further ahead of the consumer than the buffer holds, in full leases', async () => {
    const worker = new FakeWorker('a');
    const scheduler = new LeaseScheduler([worker], { ...OPTIONS, bufferBytes: 10 * SAMPLE_BYTES + 7 });
    const samples = scheduler.stream(planOf(30), never);
    const asked = () => worker.leases.map(({ ordinals }) => ordinals.length);
    await samples.next();
    await settle();
    // The window is ordinals 0..9: two full leases fit, a third would reach to 11.
    expect(asked()).toEqual([4, 4]);
    await samples.next();
    await settle();
    expect(asked()).toEqual([4, 4]);
    await samples.next();
    await settle();
    expect(asked()).toEqual([4, 4, 4]);
    await samples.return();
  });

  it('leases whole leases even when the buffer is smaller than one', async () => {
    const worker = new FakeWorker('a');
    const scheduler = new LeaseScheduler([worker], { ...OPTIONS, bufferBytes: 1 });
    expect(await collect(scheduler.stream(planOf(9), never))).toEqual(upTo(9));
    expect(worker.leases.map(({ ordinals }) => ordinals.length)).toEqual([4, 4, 1]);
  });

  it.each([status.INVALID_ARGUMENT, status.NOT_FOUND, status.FAILED_PRECONDITION])(
    'ends when a worker refuses with status %i, naming the first ordinal of the lease',
    async (code) => {
      const worker = new FakeWorker('a', inTurn(answerAll, breakAfter(0, grpcError(code, 'it must be so'))));
      const scheduler = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 });
      await expect(collect(scheduler.stream(planOf(8), never))).rejects.toMatchObject({
        tag: 'SampleUnavailableError',
        ordinal: 4,
        message: 'Cannot make sample 4: it must be so',
      });
      expect(worker.leases.length).toBe(2);
    },
  );

  it('ends at a sample that cannot be made, naming its ordinal and the reason', async () => {
    const worker = new FakeWorker('a', async function* ({ request }) {
      await turn();
      yield sampleAnswer(request, 0);
      yield errorAnswer(1, 'scan 1.2.1 is truncated');
    });
    const samples = new LeaseScheduler([worker], OPTIONS).stream(planOf(4), never);
    const failure = collect(samples);
    await expect(failure).rejects.toThrow(SampleUnavailableError);
    await expect(failure).rejects.toMatchObject({
      ordinal: 1,
      message: 'Cannot make sample 1: scan 1.2.1 is truncated',
    });
    expect(worker.leases.length).toBe(1);
  });

  it('ends at a sample of the wrong size', async () => {
    const worker = new FakeWorker('a', async function* ({ request }) {
      await turn();
      yield sampleAnswer({ ...request, chunkShape: { depth: 1, height: 1, width: 3 } }, 0);
    });
    const samples = new LeaseScheduler([worker], OPTIONS).stream(planOf(1), never);
    await expect(collect(samples)).rejects.toThrow(
      'Cannot make sample 0: a worker sent 12 bytes, expected 8',
    );
  });

  it.each([
    ['an ordinal it was not asked for', 17],
    ['an ordinal twice', 0],
  ])('breaks the lease of a worker that sends %s, and asks again', async (_, strange) => {
    const worker = new FakeWorker(
      'a',
      inTurn(async function* ({ request }) {
        await turn();
        yield sampleAnswer(request, 0);
        yield sampleAnswer(request, strange);
      }),
    );
    const scheduler = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 });
    expect(await collect(scheduler.stream(planOf(4), never))).toEqual(upTo(4));
    expect(worker.leases.map(({ ordinals }) => ordinals)).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('rejects with the reason of its signal and cancels every lease', async () => {
    const workers = ['a', 'b'].map((address) => new FakeWorker(address, answerNever));
    const stop = new AbortController();
    const next = new LeaseScheduler(workers, OPTIONS).stream(planOf(40), stop.signal).next();
    next.catch(() => undefined);
    await settle();
    expect(workers.map(({ openCount }) => openCount)).toEqual([2, 2]);
    stop.abort(new Error('stopped by hand'));
    await expect(next).rejects.toThrow('stopped by hand');
    await settle();
    expect(workers.map(({ openCount }) => openCount)).toEqual([0, 0]);
  });

  it('asks nobody when its signal has aborted before', async () => {
    const worker = new FakeWorker('a');
    const next = new LeaseScheduler([worker], OPTIONS).stream(
      planOf(4),
      AbortSignal.abort(new Error('late')),
    );
    await expect(next.next()).rejects.toThrow('late');
    expect(worker.leases).toEqual([]);
  });

  it('cancels every lease when the consumer leaves early', async () => {
    const worker = new FakeWorker('a', async function* ({ request, ordinals }) {
      await turn();
      yield sampleAnswer(request, ordinals[0]!);
      await new Promise(() => undefined);
    });
    const samples = new LeaseScheduler([worker], OPTIONS).stream(planOf(40), never);
    await samples.next();
    await samples.return();
    await settle();
    expect(worker.openCount).toBe(0);
  });

  it('goes on in the next pass although leases of the last one are still closing', async () => {
    // The last sample of the pass arrives before its stream ends; the only lease of the only worker is not free yet.
    const worker = new FakeWorker(
      'a',
      inTurn(async function* (lease) {
        yield* answerAll(lease);
        await new Promise(() => undefined);
      }),
    );
    const scheduler = new LeaseScheduler([worker], { ...OPTIONS, leasesPerWorker: 1 });
    expect(await collect(scheduler.stream(planOf(4), never))).toEqual(upTo(4));
    expect(await collect(scheduler.stream(planOf(4), never))).toEqual(upTo(4));
  });
});
