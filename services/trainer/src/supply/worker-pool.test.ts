import { status } from '@grpc/grpc-js';
import { AddressWatcher, CHANNEL_OPTIONS } from '@lunastream/service-kit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answerAll,
  answerNever,
  FakeWorker,
  grpcError,
  sampleAnswer,
  type AnswerLease,
} from '../../test/fake-worker.ts';
import {
  breakAfter,
  collect,
  FAKE_TIMERS,
  inTurn,
  leaseBench,
  ordinalsIn,
  places,
  serverAt,
  planOf,
  settle,
  untilSettled,
  upTo,
} from '../../test/lease-bench.ts';

// The pool as the scheduler uses it: what a worker's failures do to the leases that follow.

beforeEach(() => {
  vi.useFakeTimers({ toFake: [...FAKE_TIMERS.toFake] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a worker that fails', () => {
  it('rests 100 ms, then twice as long with every failure in a row, at most 2 s', async () => {
    const worker = new FakeWorker('a', inTurn(...upTo(7).map(() => breakAfter(0))));
    const filled = leaseBench([worker], { leasesPerWorker: 1 }).open(planOf(1)).fill(0, places(1));
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
    await untilSettled(filled);
  });

  it('counts leases that break together once', async () => {
    const worker = new FakeWorker('a', inTurn(...upTo(4).map(() => breakAfter(0))));
    const filled = leaseBench([worker]).open(planOf(8)).fill(0, places(8));
    await settle();
    expect(worker.leases.length).toBe(2);
    vi.advanceTimersByTime(100);
    await settle();
    expect(worker.leases.length).toBe(4);
    // The second break in a row, although four leases broke.
    vi.advanceTimersByTime(200);
    await filled;
  });

  it('begins again at 100 ms once it has answered', async () => {
    const worker = new FakeWorker('a', inTurn(breakAfter(0), breakAfter(0), breakAfter(1)));
    const filled = leaseBench([worker], { leasesPerWorker: 1 }).open(planOf(2)).fill(0, places(2));
    for (const restMs of [100, 200, 100]) {
      await settle();
      vi.advanceTimersByTime(restMs);
    }
    await filled;
    expect(worker.leases.length).toBe(4);
  });

  it('leaves its share to the others while it rests', async () => {
    const broken = new FakeWorker('a', breakAfter(0));
    const healthy = new FakeWorker('b');
    const { open } = leaseBench([broken, healthy], { leasesPerWorker: 1 });
    const target = places(20);
    await open(planOf(20)).fill(0, target);
    expect(ordinalsIn(target)).toEqual(upTo(20));
    expect(broken.leases.length).toBe(1);
  });

  it('is asked by the run after the one in which it failed, once it has rested', async () => {
    const worker = new FakeWorker('a', inTurn(breakAfter(0)));
    const { open } = leaseBench([worker], { leasesPerWorker: 1 });
    const stopped = open(planOf(4));
    const filled = stopped.fill(0, places(4));
    filled.catch(() => undefined);
    await settle();
    stopped.close(new Error('stopped'));
    expect(await collect(open(planOf(4)), 4)).toEqual(upTo(4));
  });
});

describe('a worker that answers wrong', () => {
  const wrong = (change: (answer: ReturnType<typeof sampleAnswer>) => unknown): AnswerLease =>
    async function* ({ request, ordinals }) {
      const answer = sampleAnswer(request, ordinals[1]!);
      change(answer);
      yield await Promise.resolve(sampleAnswer(request, ordinals[0]!));
      yield answer;
      yield sampleAnswer(request, ordinals[2]!);
    };
  /** Puts `voxels` in place of the sample's, with a checksum that fits. */
  const withVoxels = (answer: ReturnType<typeof sampleAnswer>, value: number) => {
    const { result } = sampleAnswer({ chunkShape: { depth: 1, height: 1, width: 2 } } as never, value);
    Object.assign(answer, { result });
  };

  it.each([
    [
      'another shape',
      wrong(({ result }) => Object.assign(result!.value, { shape: { depth: 1, height: 2, width: 1 } })),
      'its shape must be 1x1x2, got 1x2x1',
    ],
    [
      'too few bytes',
      wrong(({ result }) => Object.assign(result!.value, { voxelsHu: Buffer.alloc(4) })),
      'it must have 8 bytes, got 4',
    ],
    [
      'a wrong checksum',
      wrong(({ result }) => Object.assign(result!.value, { voxelsChecksum: 0xbad })),
      /its checksum must be 00000bad, got [0-9a-f]{8}/,
    ],
    ['NaN', wrong((answer) => withVoxels(answer, NaN)), 'its voxels are not all finite'],
    ['infinity', wrong((answer) => withVoxels(answer, -Infinity)), 'its voxels are not all finite'],
    [
      'an empty answer',
      wrong((answer) => Object.assign(answer, { result: undefined })),
      'its answer is empty',
    ],
    [
      'an ordinal it was not asked for',
      wrong((answer) => Object.assign(answer, { ordinal: 17 })),
      'nobody asked for it',
    ],
    ['an ordinal twice', wrong((answer) => Object.assign(answer, { ordinal: 0 })), 'nobody asked for it'],
  ])('is quarantined and named for %s; its samples come from others', async (_, answer, fault) => {
    const bad = new FakeWorker('10.0.0.7:50052', answer);
    const good = new FakeWorker('10.0.0.8:50052');
    const { open, warnings, pool, scheduler } = leaseBench([bad, good], { leasesPerWorker: 1 });
    const target = places(16);
    await untilSettled(open(planOf(16)).fill(0, target));
    expect(ordinalsIn(target)).toEqual(upTo(16));
    expect(bad.leases.length).toBe(1);
    expect(bad.openCount).toBe(0);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toMatch(
      /^Worker 10\.0\.0\.7:50052 is quarantined, its samples are leased again: sample \d+ of epoch 3: /,
    );
    expect(warnings[0]).toMatch(fault);
    expect(pool.workers[0]!.quarantineReason).toMatch(fault);
    expect(scheduler.counts.wrongSamples).toBe(1);
  });

  it('stays so when it is the only one, and is asked again by the next run', async () => {
    const worker = new FakeWorker('a', inTurn(wrong((answer) => withVoxels(answer, NaN))));
    const { open, pool, scheduler } = leaseBench([worker], { leasesPerWorker: 1 });
    const filled = open(planOf(4)).fill(0, places(4));
    await settle();
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(worker.leases.length).toBe(1);
    expect(pool.waitingFor()).toBe(
      'augmentation workers: a (quarantined: sample 1 of epoch 3: its voxels are not all finite)',
    );
    scheduler.beginRun();
    await untilSettled(filled);
    expect(pool.waitingFor()).toBeUndefined();
  });
});

describe('WorkerPool.setServers()', () => {
  it('gives leases to workers that join, and takes none from those that leave until they are done', async () => {
    let goOn = () => {};
    const leaving = new FakeWorker(
      'a',
      inTurn(async function* ({ request, ordinals }) {
        yield await Promise.resolve(sampleAnswer(request, ordinals[0]!));
        await new Promise<void>((resolve) => (goOn = resolve));
        for (const ordinal of ordinals.slice(1)) yield sampleAnswer(request, ordinal);
      }),
    );
    const joining = new FakeWorker('b');
    const { open, pool, scheduler } = leaseBench([leaving, joining], { leasesPerWorker: 1 }, ['a']);
    const target = places(12);
    const filled = open(planOf(12)).fill(0, target);
    await settle();
    pool.setServers([serverAt('b')]);
    await settle();
    expect(joining.leases.map(({ ordinals }) => ordinals)).toEqual([
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
    expect(leaving.isClosed).toBe(false);
    goOn();
    await untilSettled(filled);
    await settle();
    expect(ordinalsIn(target)).toEqual(upTo(12));
    expect(leaving.leases.length).toBe(1);
    expect(leaving.isClosed).toBe(true);
    expect(scheduler.counts).toMatchObject({ brokenLeases: 0, hedgedLeases: 0 });
  });

  it('waits for workers while none is known', async () => {
    const worker = new FakeWorker('a');
    const { open, pool } = leaseBench([worker], {}, []);
    const filled = open(planOf(4)).fill(0, places(4));
    await settle();
    expect(pool.waitingFor()).toBe('augmentation workers: none is known');
    pool.setServers([serverAt('a')]);
    await filled;
  });
});

describe('a worker that comes in mid-epoch gets leases within 5 s, whatever the machine: the longest that', () => {
  const PROMISED_MS = 5_000;

  it('names are not resolved for', async () => {
    const [first, joining] = [new FakeWorker('10.0.0.1:7', answerNever), new FakeWorker('10.0.0.2:7')];
    const { open, pool } = leaseBench([first, joining], {}, []);
    let numbers = ['10.0.0.1'];
    const watcher = await AddressWatcher.start({
      targets: ['dns:///workers:7'],
      onChange: (servers) => pool.setServers(servers),
      onError: (sentence) => expect.fail(sentence),
      lookup: () => Promise.resolve(numbers),
    });
    const stream = open(planOf(100));
    void stream.fill(0, places(100)).catch(() => undefined);
    await settle();
    expect([first.leases.length, joining.leases.length]).toEqual([2, 0]);
    numbers = ['10.0.0.1', '10.0.0.2'];
    vi.advanceTimersByTime(PROMISED_MS);
    await settle();
    expect(joining.leases.length).toBeGreaterThan(0);
    watcher.close();
    stream.close(new Error('seen'));
  });

  it('a listed one rests that has not answered before, and gRPC waits before it connects again', async () => {
    let isThere = false;
    const late = new FakeWorker('b', (lease) => (isThere ? answerAll(lease) : breakAfter(0)(lease)));
    const { open } = leaseBench([new FakeWorker('a', answerNever), late]);
    const stream = open(planOf(100));
    void stream.fill(0, places(100)).catch(() => undefined);
    // Long enough for its longest rest.
    for (let count = 0; count < 20; count++) {
      vi.advanceTimersByTime(1_000);
      await settle();
    }
    const askedInVain = late.leases.length;
    isThere = true;
    // gRPC spreads its waits by a fifth (its connection-backoff.md).
    const reconnectMs = 1.2 * (CHANNEL_OPTIONS['grpc.max_reconnect_backoff_ms'] ?? Infinity);
    vi.advanceTimersByTime(PROMISED_MS - reconnectMs);
    await settle();
    expect(late.leases.length).toBeGreaterThan(askedInVain);
    stream.close(new Error('seen'));
  });
});

describe('LeaseScheduler.waitingFor()', () => {
  it('names every worker with its last error while none answers, and nothing once one does', async () => {
    const workers = [
      new FakeWorker('10.0.0.1:50052', inTurn(breakAfter(0, grpcError(status.UNAVAILABLE, 'no route')))),
      new FakeWorker('10.0.0.2:50052', breakAfter(0, grpcError(status.UNAVAILABLE, 'draining'))),
    ];
    const { open, scheduler } = leaseBench(workers, { leasesPerWorker: 1 });
    expect(scheduler.waitingFor()).toBeUndefined();
    const filled = open(planOf(8)).fill(0, places(8));
    await settle();
    expect(scheduler.waitingFor()).toBe(
      'augmentation workers: 10.0.0.1:50052 (no route), 10.0.0.2:50052 (draining)',
    );
    vi.advanceTimersByTime(100);
    await untilSettled(filled);
    expect(scheduler.waitingFor()).toBeUndefined();
  });

  it('names workers that do not answer', async () => {
    const { open, scheduler } = leaseBench([new FakeWorker('a', answerNever)]);
    const stream = open(planOf(4));
    void stream.fill(0, places(4)).catch(() => undefined);
    vi.advanceTimersByTime(1_000);
    await settle();
    expect(scheduler.waitingFor()).toBe('augmentation workers: a (it does not answer)');
    stream.close(new Error('seen'));
  });
});
