import { crc32 } from 'node:zlib';
import {
  applyTransform,
  CHAPTER_AUGMENTATION,
  marginFor,
  mixSamples,
  NO_AUGMENTATION,
  sampleTransform,
  type AugmentationSettings,
} from '@lunastream/augmentation';
import {
  AugmentationServiceClient,
  BorderRule,
  ChunkErrorCode,
  ChunkServiceClient,
  copySampleVoxels,
  SampleErrorCode,
  VoxelType,
  type ChunkReference,
  type SampleReference,
  type StreamChunksResponse,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import { createClient, readStream, RequestError } from '@lunastream/service-kit';
import { collect, failureOf, startInProcessServer } from '@lunastream/service-kit/testing';
import { SharedBuffers } from '@lunastream/transform-pool';
import { voxelCount } from '@lunastream/volume';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  chunkOf,
  fakeChunkCache,
  FINGERPRINT,
  streamFakeChunks,
  type StreamChunks,
} from '../test/fake-chunk-cache.ts';
import { InlineMaker } from '../test/inline-maker.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { createHandlers } from './handlers.ts';
import { RawChunkMemory } from './raw-chunk-memory.ts';
import { WorkerStats } from './worker-stats.ts';

const SHAPE = { depth: 4, height: 6, width: 8 };
const RUN_SEED = 0xfeedbeef;
const EPOCH = 3;

async function startWorker(cacheAddress: string, keptBytes = 0) {
  const chunkCache = createClient(ChunkServiceClient, cacheAddress);
  const maker = new InlineMaker();
  const memory = new RawChunkMemory({
    limitBytes: keptBytes,
    buffers: new SharedBuffers({ limitBytes: 2 ** 20 }),
  });
  const stats = new WorkerStats();
  const parts = { chunks: new ChunkFetcher(chunkCache, memory), maker, stats };
  const server = await startInProcessServer((context) => createHandlers(parts, context));
  onTestFinished(async () => {
    await server.stop();
    chunkCache.close();
  });
  const client = server.connect(AugmentationServiceClient);
  const openLease = (request: Partial<StreamSamplesRequest>) =>
    client.streamSamples({
      leaseId: 'test',
      dataset: 'luna',
      datasetFingerprint: FINGERPRINT,
      runSeed: RUN_SEED,
      epoch: EPOCH,
      chunkShape: SHAPE,
      augmentation: undefined,
      samples: [],
      margin: false,
      voxelType: VoxelType.FLOAT32,
      border: BorderRule.UNSPECIFIED,
      ...request,
    });
  return { ...server, openLease, maker, memory, stats };
}

/** A worker and its cache, both over real sockets. */
async function serve(streamChunks?: StreamChunks, keptBytes?: number) {
  const cache = await startInProcessServer(fakeChunkCache(streamChunks));
  onTestFinished(() => cache.stop());
  return startWorker(cache.address, keptBytes);
}

function sample(ordinal: number, seriesUid = 'a'): SampleReference {
  return { ordinal, seriesUid, centerXyzMm: { x: ordinal % 7, y: 0, z: 0 }, partner: undefined };
}

/** Voxels of an answer, or the code and message of its error. */
function outcome({ result }: StreamSamplesResponse) {
  if (result?.$case === 'error') return [result.value.code, result.value.message];
  const bytes = Uint8Array.from(result?.value.voxelsHu ?? []);
  return new Float32Array(bytes.buffer);
}

/** What the sample must be: the transform of its ordinal, applied to the chunk the cache has. */
function expectedSample(reference: SampleReference, augmentation: AugmentationSettings): Float32Array {
  const key = { runSeed: RUN_SEED, epoch: EPOCH, ordinal: reference.ordinal };
  return applyTransform(chunkOf(reference, SHAPE), SHAPE, sampleTransform(augmentation, key));
}

describe('AugmentationService.StreamSamples', () => {
  it.each([
    ['no augmentation settings', undefined],
    ['settings that switch all off', NO_AUGMENTATION],
  ])('gives the chunks as float32, unchanged, for %s', async (_, augmentation) => {
    const { openLease } = await serve();
    const samples = [sample(5), sample(0, 'bb'), sample(9)];
    const responses = await collect(openLease({ samples, augmentation }));
    expect(responses.map(({ ordinal }) => ordinal)).toEqual([5, 0, 9]);
    expect(responses[0]?.result).toMatchObject({ $case: 'sample', value: { shape: SHAPE } });
    expect(responses.map(outcome)).toEqual(
      samples.map((reference) => Float32Array.from(chunkOf(reference, SHAPE))),
    );
  });

  it('applies the transform that is drawn for seed, epoch and ordinal', async () => {
    const { openLease } = await serve();
    const samples = [0, 1, 2, 77, 2 ** 32 - 1].map((ordinal) => sample(ordinal));
    const responses = await collect(openLease({ samples, augmentation: CHAPTER_AUGMENTATION }));
    const expected = samples.map((reference) => expectedSample(reference, CHAPTER_AUGMENTATION));
    expect(responses.map(outcome)).toEqual(expected);
    expect(expected[1]).not.toEqual(Float32Array.from(chunkOf(samples[1]!, SHAPE)));
    for (const { result } of responses) {
      expect(result?.$case === 'sample' && result.value.voxelsCrc32 - crc32(result.value.voxelsHu)).toBe(0);
    }
  });

  it('draws otherwise for another seed and another epoch', async () => {
    const { openLease } = await serve();
    const lease = { samples: [sample(1)], augmentation: CHAPTER_AUGMENTATION };
    const first = (await collect(openLease(lease))).map(outcome);
    expect((await collect(openLease({ ...lease, runSeed: 1 }))).map(outcome)).not.toEqual(first);
    expect((await collect(openLease({ ...lease, epoch: EPOCH + 1 }))).map(outcome)).not.toEqual(first);
  });

  it('gives an ordinal the same bytes alone, in any lease, in any order and from any worker', async () => {
    const [one, other] = [await serve(), await serve()];
    const ordinals = Array.from({ length: 24 }, (_, ordinal) => ordinal);
    const samplesOf = (order: readonly number[]) => order.map((ordinal) => sample(ordinal));
    const read = async (worker: typeof one, order: readonly number[]) => {
      const lease = { samples: samplesOf(order), augmentation: CHAPTER_AUGMENTATION };
      const responses = await collect(worker.openLease(lease));
      return new Map(responses.map((response) => [response.ordinal, outcome(response)]));
    };
    const whole = await read(one, ordinals);
    expect(whole.size).toBe(24);
    expect(await read(other, [...ordinals].reverse())).toEqual(whole);
    for (const ordinal of [0, 11, 23]) {
      expect((await read(other, [ordinal])).get(ordinal)).toEqual(whole.get(ordinal));
    }
    const twice = await collect(
      one.openLease({ samples: samplesOf([4, 4]), augmentation: CHAPTER_AUGMENTATION }),
    );
    expect(twice.map(outcome)).toEqual([whole.get(4), whole.get(4)]);
  });

  it('answers what the cache cannot give in its place, with the same kind and message', async () => {
    const { openLease } = await serve();
    const samples = [
      sample(3, 'unknown'),
      sample(4),
      sample(5, 'outside'),
      sample(6, 'damaged'),
      sample(7, 'unspecified'),
      sample(8),
    ];
    const responses = await collect(openLease({ samples }));
    expect(responses.map(({ ordinal }) => ordinal)).toEqual([3, 4, 5, 6, 7, 8]);
    expect(responses.map(outcome)).toEqual([
      [SampleErrorCode.NOT_FOUND, 'Cannot cut a chunk of unknown'],
      expectedSample(samples[1]!, NO_AUGMENTATION),
      [SampleErrorCode.OUT_OF_RANGE, 'Cannot cut a chunk of outside'],
      [SampleErrorCode.DATA_LOSS, 'Cannot cut a chunk of damaged'],
      [SampleErrorCode.UNSPECIFIED, 'Cannot cut a chunk of unspecified'],
      expectedSample(samples[5]!, NO_AUGMENTATION),
    ]);
  });

  it('makes samples from larger chunks when a margin is asked for, so that none repeats a border', async () => {
    const { openLease, maker } = await serve();
    const samples = [1, 2, 3].map((ordinal) => sample(ordinal));
    const lease = { samples, augmentation: CHAPTER_AUGMENTATION };
    const borders = async (margin: boolean) =>
      (await collect(openLease({ ...lease, margin }))).map(({ result }) =>
        result?.$case === 'sample' ? result.value.borderFraction : undefined,
      );
    const without = await borders(false);
    expect(without.every((fraction) => fraction! > 0)).toBe(true);
    expect(await borders(true)).toEqual([0, 0, 0]);
    expect(maker.jobs.at(-1)).toMatchObject({
      sampleShape: SHAPE,
      sourceShape: marginFor(CHAPTER_AUGMENTATION, SHAPE),
    });
  });

  it('mixes a sample with its partner, as each would be alone', async () => {
    const { openLease } = await serve();
    const augmentation = { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 };
    const [first, partner] = [sample(4), { ...sample(70, 'bb') }];
    const mixed = await collect(
      openLease({ samples: [sample(3), { ...first, partner }, sample(5)], augmentation }),
    );
    expect(mixed.map(({ ordinal }) => ordinal)).toEqual([3, 4, 5]);
    const key = { runSeed: RUN_SEED, epoch: EPOCH, ordinal: 4 };
    const { mixupLambda } = sampleTransform(augmentation, key);
    expect(outcome(mixed[1]!)).toEqual(
      mixSamples(expectedSample(first, augmentation), expectedSample(partner, augmentation), mixupLambda),
    );
    expect(outcome(mixed[2]!)).toEqual(expectedSample(sample(5), augmentation));
  });

  it('sends float16 on request: every voxel of the float32 sample, rounded', async () => {
    const { openLease } = await serve();
    const augmentation = { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 };
    const samples = [sample(3), { ...sample(4), partner: sample(70, 'bb') }];
    const read = async (voxelType: VoxelType) =>
      (await collect(openLease({ samples, augmentation, voxelType }))).map(({ result }) => {
        if (result?.$case !== 'sample') throw new Error('the worker sent no sample');
        expect(result.value.voxelType).toBe(voxelType);
        const voxels = new Float32Array(voxelCount(SHAPE));
        copySampleVoxels(result.value, voxels);
        return { voxels, sizeBytes: result.value.voxelsHu.byteLength };
      });
    const exact = await read(VoxelType.FLOAT32);
    for (const [index, { voxels, sizeBytes }] of (await read(VoxelType.FLOAT16)).entries()) {
      expect(sizeBytes).toBe(2 * voxels.length);
      const rounded = exact[index]!.voxels.map((voxel) => {
        // Below 2048 HU a float16 has eleven significant bits.
        const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(voxel)))) - 10);
        const lower = Math.floor(voxel / step) * step;
        const isUpper = voxel - lower > step / 2 || (voxel - lower === step / 2 && (lower / step) % 2 !== 0);
        return isUpper ? lower + step : lower;
      });
      expect(voxels).toEqual(rounded);
    }
  });

  it('leaves partners out where nothing is to be mixed', async () => {
    const { openLease } = await serve();
    const first = { ...sample(4), partner: sample(70, 'unknown') };
    const responses = await collect(openLease({ samples: [first], augmentation: CHAPTER_AUGMENTATION }));
    expect(responses.map(outcome)).toEqual([expectedSample(first, CHAPTER_AUGMENTATION)]);
  });

  it('answers a sample whose partner cannot be cut with the reason', async () => {
    const { openLease } = await serve();
    const augmentation = { ...NO_AUGMENTATION, mixupAlpha: 1 };
    const samples = [{ ...sample(4), partner: sample(70, 'damaged') }, sample(5)];
    const responses = await collect(openLease({ samples, augmentation }));
    expect(responses.map(outcome)).toEqual([
      [SampleErrorCode.DATA_LOSS, 'Cannot cut a chunk of damaged'],
      expectedSample(samples[1]!, augmentation),
    ]);
  });

  it('counts samples, voxels, repeated border and failures', async () => {
    const { openLease, stats } = await serve();
    const took: number[] = [];
    stats.onSampleMade = (tookMs) => took.push(tookMs);
    const samples = [sample(1), sample(2, 'damaged'), sample(3)];
    const responses = await collect(openLease({ samples, augmentation: CHAPTER_AUGMENTATION }));
    const border = responses.map(({ result }) =>
      result?.$case === 'sample' ? Math.round(result.value.borderFraction * voxelCount(SHAPE)) : 0,
    );
    expect(stats).toMatchObject({
      sampleCount: 2,
      failureCount: 1,
      voxelCount: 2 * voxelCount(SHAPE),
      borderVoxelCount: border[0]! + border[2]!,
    });
    expect(stats.borderVoxelCount).toBeGreaterThan(0);
    expect(took).toHaveLength(2);
  });

  it('uses the memory of samples again only after they are sent, however slowly they are read', async () => {
    const { openLease, maker } = await serve();
    // Larger than the window of a stream together, so that some wait to be written.
    const shape = { depth: 16, height: 32, width: 32 };
    const samples = Array.from({ length: 60 }, (_, ordinal) => sample(ordinal));
    let read = 0;
    for await (const response of readStream(openLease({ samples, chunkShape: shape }))) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(outcome(response)).toEqual(Float32Array.from(chunkOf(samples[read]!, shape)));
      read++;
    }
    expect(read).toBe(60);
    await vi.waitUntil(() => maker.givenBackCount === 60);
  });

  it('has a sample error for every chunk error', () => {
    expect(SampleErrorCode).toEqual(ChunkErrorCode);
  });
});

describe('AugmentationService.StreamSamples refuses', () => {
  it.each<[string, Partial<StreamSamplesRequest>, string]>([
    ['an empty lease', { samples: [] }, 'a lease must have 1..1024 samples, got 0'],
    [
      'a lease of 1,025 samples',
      { samples: Array.from({ length: 1025 }, (_, ordinal) => sample(ordinal)) },
      'a lease must have 1..1024 samples, got 1025',
    ],
    ['a lease without a shape', { chunkShape: undefined }, 'chunk_shape must be set, got none'],
    [
      'samples that no message takes',
      { chunkShape: { depth: 256, height: 256, width: 256 } },
      'got 67108864 of shape 256x256x256',
    ],
    [
      'an offset over 1',
      { augmentation: { ...NO_AUGMENTATION, offset: 1.5 } },
      'offset: it must be in 0..1, got 1.5',
    ],
    [
      'a scale of 1',
      { augmentation: { ...NO_AUGMENTATION, scale: 1 } },
      'scale: it must be at least 0 and below 1',
    ],
    [
      'a voxel type of a later version',
      { voxelType: 9 as VoxelType },
      'voxel_type must be float32 or float16',
    ],
    ['noise that is no number', { augmentation: { ...NO_AUGMENTATION, noiseHu: Number.NaN } }, 'noiseHu'],
  ])('%s, without asking the cache', async (_, request, details) => {
    let asked = 0;
    const { openLease } = await serve((chunkRequest) => {
      asked++;
      return streamFakeChunks(chunkRequest);
    });
    const failure = await failureOf(collect(openLease({ samples: [sample(1)], ...request })));
    expect(failure.status).toBe('INVALID_ARGUMENT');
    expect(failure.details).toContain(details);
    expect(asked).toBe(0);
  });

  it('nothing up to 1,024 samples', async () => {
    const { openLease } = await serve();
    const samples = Array.from({ length: 1024 }, (_, ordinal) => sample(ordinal));
    expect(await collect(openLease({ samples }))).toHaveLength(1024);
  });

  it.each<[string, Partial<StreamSamplesRequest>, { status: string; details: string }]>([
    ['an unknown data set', { dataset: 'lidc' }, { status: 'NOT_FOUND', details: 'no data set lidc' }],
    [
      'a data set that changed',
      { datasetFingerprint: 'f2' },
      { status: 'FAILED_PRECONDITION', details: 'the data set changed' },
    ],
    [
      'a shape that the cache refuses',
      { chunkShape: { ...SHAPE, depth: 0 } },
      { status: 'INVALID_ARGUMENT', details: 'bad shape' },
    ],
  ])("%s in the cache's words", async (_, request, refusal) => {
    const { openLease } = await serve();
    expect(await failureOf(collect(openLease({ samples: [sample(1)], ...request })))).toEqual(refusal);
  });
});

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

  it('asks for 32 chunks at a time', async () => {
    const { openLease, asked } = await serveKeeping();
    const samples = Array.from({ length: 70 }, (_, ordinal) => sample(ordinal, `uid-${ordinal}`));
    expect(await collect(openLease({ samples }))).toHaveLength(70);
    expect(asked.map(({ length }) => length)).toEqual([32, 32, 6]);
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
