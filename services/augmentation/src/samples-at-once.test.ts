import { CHAPTER_AUGMENTATION } from '@lunastream/augmentation';
import type { SampleReference } from '@lunastream/contracts';
import { readStream } from '@lunastream/service-kit';
import { collect, failureOf } from '@lunastream/service-kit/testing';
import { describe, expect, it, vi } from 'vitest';
import { chunkOf, streamFakeChunks } from '../test/fake-chunk-cache.ts';
import { outcome, sample, serve, SHAPE } from '../test/worker-bench.ts';

const KEPT_BYTES = 16 * 2 ** 20;
const samplesOf = (count: number) => Array.from({ length: count }, (_, ordinal) => sample(ordinal));
const expectedOf = (samples: readonly SampleReference[], shape = SHAPE) =>
  samples.map((reference) => Float32Array.from(chunkOf(reference, shape)));

/** A worker that keeps chunks, makes samples at once where nothing is done to them, and counts its loans. */
async function serveAtOnce() {
  const worker = await serve(undefined, KEPT_BYTES);
  worker.maker.isAtOnce = ({ augmentation }) => augmentation.noiseHu === 0;
  const { memory } = worker;
  const [lend, lendAll, add] = [
    memory.lend.bind(memory),
    memory.lendAll.bind(memory),
    memory.add.bind(memory),
  ];
  let lentCount = 0;
  const noted = <Lent>(lent: Lent, count: number): Lent => {
    lentCount += count;
    return lent;
  };
  vi.spyOn(memory, 'lend').mockImplementation((key) => {
    const lent = lend(key);
    return noted(lent, lent === undefined ? 0 : 1);
  });
  vi.spyOn(memory, 'lendAll').mockImplementation((keys) => {
    const lent = lendAll(keys);
    return noted(lent, lent?.length ?? 0);
  });
  vi.spyOn(memory, 'add').mockImplementation((key, voxelsHu) => noted(add(key, voxelsHu), 1));
  const release = memory.release.bind(memory);
  vi.spyOn(memory, 'release').mockImplementation((chunk) => noted(release(chunk), -1));
  return { ...worker, lentCount: () => lentCount };
}

describe('AugmentationService.StreamSamples of chunks that the worker keeps, with nothing to be done to them', () => {
  it('makes the samples at once, the same as of chunks that are fetched', async () => {
    const { openLease, maker, lentCount, counts } = await serveAtOnce();
    // Their centres repeat after seven.
    const samples = samplesOf(40);
    const first = await collect(openLease({ samples: samples.slice(0, 7) }));
    expect([maker.jobs.length, maker.jobsAtOnce.length]).toEqual([7, 0]);
    const again = await collect(openLease({ samples }));
    expect([maker.jobs.length, maker.jobsAtOnce.length]).toEqual([7, 40]);
    expect(again.slice(0, 7)).toEqual(first);
    expect(again.map(({ ordinal }) => ordinal)).toEqual(samples.map(({ ordinal }) => ordinal));
    expect(again.map(outcome)).toEqual(expectedOf(samples));
    expect(counts).toMatchObject({ sampleCount: 47, failureCount: 0, queuedBytes: 0 });
    expect(lentCount()).toBe(0);
  });

  it('goes on as ever from the first few chunks of which one is not kept, in order', async () => {
    const { openLease, maker, lentCount } = await serveAtOnce();
    await collect(openLease({ samples: samplesOf(7) }));
    const samples = samplesOf(40).map((reference) =>
      reference.ordinal === 20 ? { ...reference, seriesUid: 'not-kept' } : reference,
    );
    const responses = await collect(openLease({ samples }));
    expect(responses.map(({ ordinal }) => ordinal)).toEqual(samples.map(({ ordinal }) => ordinal));
    expect(responses.map(outcome)).toEqual(expectedOf(samples));
    expect([maker.jobs.length, maker.jobsAtOnce.length]).toEqual([7 + 24, 16]);
    expect(lentCount()).toBe(0);
  });

  it('makes the others elsewhere: with transforms, or of a data set without a fingerprint', async () => {
    const { openLease, maker } = await serveAtOnce();
    const lease = { samples: samplesOf(3), augmentation: CHAPTER_AUGMENTATION };
    await collect(openLease(lease));
    await collect(openLease(lease));
    await failureOf(collect(openLease({ samples: samplesOf(3), datasetFingerprint: '' })));
    expect(maker.jobsAtOnce).toEqual([]);
  });

  it('waits for a client that reads slowly, and uses memory again only after it is sent', async () => {
    const { openLease, maker, lentCount } = await serveAtOnce();
    // Larger than the window of a stream together, so that some wait to be written.
    const shape = { depth: 16, height: 32, width: 32 };
    const samples = samplesOf(60);
    await collect(openLease({ samples: samples.slice(0, 7), chunkShape: shape }));
    const expected = expectedOf(samples.slice(0, 7), shape);
    let read = 0;
    for await (const response of readStream(openLease({ samples, chunkShape: shape }))) {
      await new Promise((resolve) => setImmediate(resolve));
      // Compared as bytes: voxel by voxel takes the test's time.
      const voxels = outcome(response) as Float32Array;
      expect(Buffer.from(voxels.buffer).equals(Buffer.from(expected[read % 7]!.buffer))).toBe(true);
      read++;
    }
    expect(read).toBe(60);
    expect(maker.jobsAtOnce).toHaveLength(60);
    await vi.waitUntil(() => maker.givenBackCount === 67);
    expect(lentCount()).toBe(0);
  });

  it('stops, and releases every chunk, when the client goes away', async () => {
    const { openLease, maker, lentCount, stop } = await serveAtOnce();
    const shape = { depth: 16, height: 64, width: 64 };
    const samples = samplesOf(1024);
    await collect(openLease({ samples: samples.slice(0, 7), chunkShape: shape }));
    for await (const { ordinal } of readStream(openLease({ samples, chunkShape: shape }))) {
      if (ordinal === 20) break;
    }
    await stop();
    expect(maker.jobsAtOnce.length).toBeLessThan(1024);
    expect(lentCount()).toBe(0);
  });

  it('answers INTERNAL when one cannot be made, counts it, and releases every chunk', async () => {
    const { openLease, maker, lentCount, counts, log } = await serveAtOnce();
    const samples = samplesOf(7);
    await collect(openLease({ samples }));
    const makeAtOnce = maker.makeAtOnce.bind(maker);
    maker.makeAtOnce = (job) => {
      if (job.source.key.ordinal === 2) throw new Error('internal: a broken kernel');
      return makeAtOnce(job);
    };
    const received: number[] = [];
    const reading = async () => {
      for await (const { ordinal } of readStream(openLease({ samples }))) received.push(ordinal);
    };
    expect((await failureOf(reading())).status).toBe('INTERNAL');
    expect(log).toMatchObject([{ level: 'error', err: { message: 'internal: a broken kernel' } }]);
    expect(counts).toMatchObject({ sampleCount: 9, failureCount: 1 });
    expect(lentCount()).toBe(0);
  });

  it('does not ask the cache while it keeps what is wanted', async () => {
    let asked = 0;
    const { openLease, maker } = await serve((request) => {
      asked++;
      return streamFakeChunks(request);
    }, KEPT_BYTES);
    maker.isAtOnce = () => true;
    await collect(openLease({ samples: samplesOf(7) }));
    await collect(openLease({ samples: samplesOf(40) }));
    expect(asked).toBe(1);
  });
});
