import { CHAPTER_AUGMENTATION } from '@lunastream/augmentation';
import {
  BorderRule,
  SampleErrorCode,
  type ChunkReference,
  type StreamChunksResponse,
  type StreamSamplesRequest,
} from '@lunastream/contracts';
import { readStream, RequestError } from '@lunastream/service-kit';
import { collect, failureOf, startInProcessServer } from '@lunastream/service-kit/testing';
import { describe, expect, it } from 'vitest';
import { fakeChunkCache, streamFakeChunks } from '../test/fake-chunk-cache.ts';
import { outcome, sample, serve, SHAPE, startWorker } from '../test/worker-bench.ts';

describe('AugmentationService.StreamSamples without a cache', () => {
  it('is UNAVAILABLE when nothing listens at its address', async () => {
    const gone = await startInProcessServer(fakeChunkCache());
    await gone.stop();
    const { openLease } = await startWorker(gone.address);
    const failure = await failureOf(collect(openLease({ samples: [sample(1)] })));
    expect(failure.status).toBe('UNAVAILABLE');
    expect(failure.details).toMatch(/^the chunk cache does not answer: /);
  });

  it.each([
    ['drains', new RequestError('unavailable', 'the service is stopping'), 'the service is stopping'],
    ['has no room', new RequestError('resource-exhausted', 'too many requests'), 'too many requests'],
    ['fails', new Error('secret of line 12'), 'internal: the request failed, see the log of the service'],
  ])('is UNAVAILABLE when the cache %s midway; what came before has been sent', async (_, error, details) => {
    const { openLease } = await serve(async function* (request) {
      yield* streamFakeChunks({ ...request, references: request.references.slice(0, 1) });
      throw error;
    });
    const samples = [sample(1), sample(2)];
    const received: number[] = [];
    const reading = async () => {
      for await (const { ordinal } of readStream(openLease({ samples }))) received.push(ordinal);
    };
    expect(await failureOf(reading())).toEqual({
      status: 'UNAVAILABLE',
      details: `the chunk cache does not answer: ${details}`,
    });
    expect(received).toEqual([1]);
  });

  it.each<[string, StreamChunksResponse]>([
    [
      'a chunk of another size',
      { referenceIndex: 0, result: { $case: 'chunk', value: { shape: SHAPE, voxelsHu: Buffer.alloc(7) } } },
    ],
    ['an answer without a result', { referenceIndex: 0, result: undefined }],
  ])('calls %s a bug, and logs it', async (_, response) => {
    const { openLease, log } = await serve(async function* () {
      yield await Promise.resolve(response);
    });
    expect((await failureOf(collect(openLease({ samples: [sample(1)] })))).status).toBe('INTERNAL');
    expect(log).toMatchObject([
      { level: 'error', err: { message: expect.stringMatching(/^internal: /) as string } },
    ]);
  });
});

describe('AugmentationService.StreamSamples and its stream from the cache', () => {
  /** A cache that sends one chunk and then waits to be cancelled. */
  async function serveWaiting() {
    let settle!: (reason: unknown) => void;
    const cancelled = new Promise((resolve) => (settle = resolve));
    const worker = await serve(async function* (request, signal) {
      yield* streamFakeChunks({ ...request, references: request.references.slice(0, 1) });
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      settle(signal.reason);
    });
    return { ...worker, cancelled };
  }

  it('is cancelled when the client cancels', async () => {
    const { openLease, cancelled } = await serveWaiting();
    for await (const { ordinal } of readStream(openLease({ samples: [sample(1), sample(2)] }))) {
      expect(ordinal).toBe(1);
      break;
    }
    expect(await cancelled).toMatchObject({ kind: 'cancelled' });
  });

  it('is cancelled when the worker drains, which the client is told', async () => {
    const { openLease, cancelled, stop } = await serveWaiting();
    const samples = readStream(openLease({ samples: [sample(1), sample(2)] }));
    await samples.next();
    const failure = failureOf(samples.next());
    await stop();
    expect(await cancelled).toMatchObject({ kind: 'cancelled' });
    expect(await failure).toEqual({ status: 'UNAVAILABLE', details: 'the service is stopping' });
  });
});

describe('AugmentationService.StreamSamples and the chunks that the worker keeps', () => {
  const KEPT_BYTES = 2 ** 20;

  /** A worker, and the references that its cache was asked for, a list a call. */
  async function serveKeeping(keptBytes = KEPT_BYTES) {
    const asked: string[][] = [];
    const worker = await serve((request) => {
      asked.push(request.references.map(({ seriesUid }) => seriesUid));
      return streamFakeChunks(request);
    }, keptBytes);
    return { ...worker, asked };
  }

  it('asks for a chunk once, and makes the same samples of it ever after', async () => {
    const kept = await serveKeeping();
    const fetching = await serveKeeping(0);
    const samples = [sample(1, 'a'), sample(2, 'b'), sample(8, 'a'), sample(3, 'c')];
    const lease = { samples, augmentation: CHAPTER_AUGMENTATION };
    const first = (await collect(kept.openLease(lease))).map(outcome);
    const again = (await collect(kept.openLease(lease))).map(outcome);
    expect(again).toEqual(first);
    expect((await collect(fetching.openLease(lease))).map(outcome)).toEqual(first);
    await collect(kept.openLease({ ...lease, samples: [sample(2, 'b'), sample(4, 'd')] }));
    // Ordinals 1 and 8 have the same place: neither was there yet when the lease began.
    expect(kept.asked).toEqual([['a', 'b', 'a', 'c'], ['d']]);
    expect(kept.memory.stats()).toMatchObject({ hitCount: 5, missCount: 5, entryCount: 4 });
  });

  it('keeps chunks of other shapes, places, data sets and scans apart', async () => {
    const { openLease, asked } = await serveKeeping();
    const leases: Partial<StreamSamplesRequest>[] = [
      { samples: [sample(1)] },
      { samples: [sample(1)], chunkShape: { ...SHAPE, depth: 6 } },
      { samples: [sample(1)], margin: true, augmentation: CHAPTER_AUGMENTATION },
      { samples: [{ ...sample(1), centerXyzMm: { x: 1, y: 0, z: 0.5 } }] },
      { samples: [sample(1, 'b')] },
      { samples: [sample(1)], border: BorderRule.PAD_AIR },
    ];
    for (const lease of leases) await collect(openLease(lease));
    expect(asked).toHaveLength(leases.length);
    const changed = await failureOf(collect(openLease({ samples: [sample(1)], datasetFingerprint: 'f2' })));
    expect(changed.status).toBe('FAILED_PRECONDITION');
    for (const lease of leases) await collect(openLease(lease));
    expect(asked).toHaveLength(leases.length + 1);
  });

  it('keeps nothing of a data set whose fingerprint it is not told', async () => {
    const { openLease, asked } = await serveKeeping();
    const lease = { samples: [sample(1)], datasetFingerprint: '' };
    await failureOf(collect(openLease(lease)));
    await failureOf(collect(openLease(lease)));
    expect(asked).toHaveLength(2);
  });

  it('does not keep what the cache could not give', async () => {
    const { openLease, asked } = await serveKeeping();
    for (const attempt of [1, 2]) {
      const [response] = await collect(openLease({ samples: [sample(1, 'damaged')] }));
      expect(outcome(response!)).toEqual([SampleErrorCode.DATA_LOSS, 'Cannot cut a chunk of damaged']);
      expect(asked).toHaveLength(attempt);
    }
  });

  it('asks for 16 chunks at a time', async () => {
    const { openLease, asked } = await serveKeeping();
    const samples = Array.from({ length: 38 }, (_, ordinal) => sample(ordinal, `uid-${ordinal}`));
    expect(await collect(openLease({ samples }))).toHaveLength(38);
    expect(asked.map(({ length }) => length)).toEqual([16, 16, 6]);
  });
});

describe('AugmentationService.StreamSamples calls it a bug', () => {
  it.each([
    ['fewer', 1, 'internal: the chunk cache sent too few answers'],
    ['more', 3, 'internal: the chunk cache sent too much'],
  ])('when the cache sends %s answers than it was asked for', async (_, count, message) => {
    const { openLease, log } = await serve(async function* (request) {
      const [first] = request.references;
      yield* streamFakeChunks({
        ...request,
        references: new Array<typeof first>(count).fill(first) as ChunkReference[],
      });
    });
    const failure = await failureOf(collect(openLease({ samples: [sample(1), sample(2)] })));
    expect(failure.status).toBe('INTERNAL');
    expect(log).toMatchObject([{ level: 'error', err: { message } }]);
  });
});
