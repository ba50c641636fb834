import { ArrivalMemory } from '@lunastream/augmentation';
import {
  AugmentationServiceService,
  type AugmentationServiceServer,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import { createBulkClient } from '@lunastream/service-kit';
import { startInProcessServer } from '@lunastream/service-kit/testing';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { answerAll, FakeWorker, sampleAnswer } from '../../test/fake-worker.ts';
import {
  CHUNK_SHAPE,
  FAKE_TIMERS,
  leaseBench,
  OPTIONS,
  ordinalsIn,
  places,
  planOf,
  serverAt,
  settle,
  upTo,
} from '../../test/lease-bench.ts';
import { LeaseScheduler } from './lease-scheduler.ts';
import { sampleClient, type SampleReceiver } from './sample-client.ts';
import { WorkerPool } from './worker-pool.ts';

// Samples that are only there in part: who may write to a place, and until when.

/** A lease whose samples a test sends itself, piece by piece. */
interface OpenLease {
  readonly request: StreamSamplesRequest;
  readonly receiver: SampleReceiver;
  isCancelled: boolean;
  isDropped: boolean;
}

/** A worker that a test speaks for. */
function slowWorker(address: string) {
  const leases: OpenLease[] = [];
  const worker = new FakeWorker(address);
  Object.assign(worker, {
    client: {
      streamSamples: (request: StreamSamplesRequest, receiver: SampleReceiver) => {
        const lease = { request, receiver, isCancelled: false, isDropped: false };
        leases.push(lease);
        return {
          cancel: () => (lease.isCancelled = true),
          dropVoxels: () => (lease.isDropped = true),
        };
      },
      close: () => undefined,
    },
  });
  return { worker, leases };
}

/** Begins to send a sample: where its voxels may go, and the voxels. */
function begin({ request, receiver }: OpenLease, ordinal: number) {
  const { result } = sampleAnswer(request, ordinal);
  if (result?.$case !== 'sample') throw new Error('the fake worker answers with samples');
  const { voxelsHu, ...head } = result.value;
  const empty = { ...head, voxelsHu: Buffer.alloc(0) };
  const place = receiver.place({ ordinal, result: { $case: 'sample', value: empty } }, voxelsHu.length);
  return { place, voxelsHu };
}

/** Sends all voxels of a sample that has a place. */
function finish({ receiver }: OpenLease, place: Uint8Array, voxels: Buffer): void {
  receiver.voxels(voxels, 0, voxels.length);
  place.set(voxels);
  receiver.placed();
}

describe('a sample whose voxels are arriving', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: [...FAKE_TIMERS.toFake] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('does not fill its place before all of it is there and found right', async () => {
    const { worker, leases } = slowWorker('a');
    const { open, scheduler } = leaseBench([worker]);
    const target = places(1);
    let isFilled = false;
    const filled = open(planOf(1))
      .fill(0, target)
      .then(() => (isFilled = true));
    const { place, voxelsHu } = begin(leases[0]!, 0);
    leases[0]!.receiver.voxels(voxelsHu, 0, 3);
    place!.set(voxelsHu.subarray(0, 3));
    await settle();
    expect(isFilled).toBe(false);
    expect(scheduler.counts.samples).toBe(0);
    leases[0]!.receiver.voxels(voxelsHu, 3, voxelsHu.length);
    place!.set(voxelsHu);
    leases[0]!.receiver.placed();
    await filled;
    expect(ordinalsIn(target)).toEqual([0]);
  });

  it('is made again when its stream breaks, over what came of it', async () => {
    const { worker, leases } = slowWorker('a');
    const healthy = new FakeWorker('b', answerAll);
    const { open } = leaseBench([worker, healthy], { leasesPerWorker: 1 });
    const target = places(2);
    const filled = open(planOf(2)).fill(0, target);
    const { place } = begin(leases[0]!, 0);
    place!.fill(0xff);
    leases[0]!.receiver.closed(new Error('the worker went away'));
    await filled;
    expect(ordinalsIn(target)).toEqual([0, 1]);
  });

  it('quarantines its worker when the voxels in its place are wrong, and is made again', async () => {
    const { worker, leases } = slowWorker('a');
    const { open, warnings, scheduler } = leaseBench([worker, new FakeWorker('b')], { leasesPerWorker: 1 });
    const target = places(1);
    const filled = open(planOf(1)).fill(0, target);
    const { place, voxelsHu } = begin(leases[0]!, 0);
    const wrong = Buffer.from(voxelsHu);
    wrong[1] = 7;
    finish(leases[0]!, place!, wrong);
    await filled;
    expect(leases[0]!.isCancelled).toBe(true);
    expect(warnings).toEqual([
      expect.stringMatching(/Worker a is quarantined.* sample 0 of epoch 3: its checksum must be/),
    ]);
    expect(ordinalsIn(target)).toEqual([0]);
    expect(scheduler.counts).toMatchObject({ samples: 1, wrongSamples: 1, awaitedBytes: 0 });
  });

  it('keeps its place from a second worker, and loses it to one that is faster', async () => {
    const [slow, fast] = [slowWorker('a'), slowWorker('b')];
    const { open, scheduler } = leaseBench([slow.worker, fast.worker], { leasesPerWorker: 1 });
    const target = places(2);
    const filled = open(planOf(2)).fill(0, target);
    const lease = slow.leases[0]!;
    expect(begin(lease, 0).place).toBeDefined();
    vi.advanceTimersByTime(OPTIONS.hedgeAfterMs);
    const hedge = fast.leases[0]!;
    expect(hedge.request.samples.map(({ ordinal }) => ordinal)).toEqual([0, 1]);

    expect(begin(hedge, 0).place).toBeUndefined();
    hedge.receiver.message(sampleAnswer(hedge.request, 0));
    expect(lease.isDropped).toBe(true);
    expect(ordinalsIn(target)[0]).toBe(0);
    // What comes second is no sample any more, nor a fault.
    lease.receiver.placed();
    expect(scheduler.counts).toMatchObject({ samples: 1, duplicateSamples: 1, wrongSamples: 0 });

    const { place, voxelsHu } = begin(lease, 1);
    finish(lease, place!, voxelsHu);
    hedge.receiver.message(sampleAnswer(hedge.request, 1));
    await filled;
    expect(ordinalsIn(target)).toEqual([0, 1]);
    expect(scheduler.counts).toMatchObject({ samples: 2, duplicateSamples: 2, awaitedBytes: 0 });
  });

  it('gets a place only as what was asked for', () => {
    const { worker, leases } = slowWorker('a');
    const stream = leaseBench([worker]).open(planOf(2));
    stream.fill(0, places(2)).catch(() => undefined);
    const { receiver, request } = leases[0]!;
    const { result } = sampleAnswer(request, 0);
    if (result?.$case !== 'sample') throw new Error('the fake worker answers with samples');
    const placeOf = (ordinal: number, change: object, voxelBytes = 8) =>
      receiver.place({ ordinal, result: { ...result, value: { ...result.value, ...change } } }, voxelBytes);
    expect(placeOf(5, {})).toBeUndefined();
    expect(placeOf(0, { shape: { ...CHUNK_SHAPE, depth: 2 } })).toBeUndefined();
    expect(placeOf(0, { voxelType: 2 })).toBeUndefined();
    expect(placeOf(0, {}, 4)).toBeUndefined();
    expect(placeOf(0, {})?.byteLength).toBe(8);
    stream.close(new Error('enough'));
    expect(leases[0]!.isCancelled).toBe(true);
  });
});

describe('samples over the wire', () => {
  const SHAPE = { depth: 32, height: 48, width: 48 };

  /** A worker behind a real socket. */
  async function serve(answer: (request: StreamSamplesRequest) => Iterable<StreamSamplesResponse>) {
    const streamSamples: AugmentationServiceServer['streamSamples'] = (call) => {
      for (const response of answer(call.request)) call.write(response);
      call.end();
    };
    const server = await startInProcessServer(() => [
      { definition: AugmentationServiceService, implementation: { streamSamples } },
    ]);
    onTestFinished(() => server.stop());
    return server.address;
  }

  function benchOf(addresses: readonly string[]) {
    const arrivals = new ArrivalMemory(2 ** 18);
    const pool = new WorkerPool({
      leasesPerWorker: 2,
      connect: ({ address }) => sampleClient(createBulkClient(address, { receiveBuffer: arrivals.bytes })),
    });
    pool.setServers(addresses.map(serverAt));
    onTestFinished(() => pool.close());
    return new LeaseScheduler(pool, { leaseSize: 4, hedgeAfterMs: 60_000 }, arrivals);
  }

  const all = ({ samples, ...request }: StreamSamplesRequest) =>
    samples.map(({ ordinal }) => sampleAnswer({ samples, ...request }, ordinal));

  it('come to their places, whole, from several workers', async () => {
    const scheduler = benchOf([await serve(all), await serve(all)]);
    const count = 30;
    const length = SHAPE.depth * SHAPE.height * SHAPE.width;
    const target = new Float32Array(new SharedArrayBuffer(4 * count * length));
    const plan = { ...planOf(count), chunkShape: SHAPE };
    const stream = scheduler.open(plan, { warn: () => undefined, ask: (_firstOrdinal, ask) => ask() });
    await stream.fill(0, target);
    const differs = target.findIndex((voxel, index) => voxel !== Math.floor(index / length));
    expect(differs).toBe(-1);
    expect(scheduler.counts).toMatchObject({ samples: count, wrongSamples: 0, duplicateSamples: 0 });
    expect(scheduler.counts.sampleBytes).toBe(target.byteLength);
    stream.close(new Error('collected'));
  });

  it('are asked for elsewhere when a worker sends wrong ones', async () => {
    const warnings: string[] = [];
    const wrong = await serve((request) =>
      all(request).map((response) => {
        const value = { ...(response.result!.value as object), voxelsChecksum: 1 };
        return { ...response, result: { ...response.result, value } } as StreamSamplesResponse;
      }),
    );
    const scheduler = benchOf([wrong, await serve(all)]);
    const target = places(8);
    const stream = scheduler.open(planOf(8), {
      warn: (sentence) => warnings.push(sentence),
      ask: (_firstOrdinal, ask) => ask(),
    });
    await stream.fill(0, target);
    expect(ordinalsIn(target)).toEqual(upTo(8));
    expect(warnings).toEqual([expect.stringContaining(`Worker ${wrong} is quarantined`)]);
    stream.close(new Error('collected'));
  });
});
