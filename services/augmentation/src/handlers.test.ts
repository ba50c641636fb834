import {
  applyTransform,
  CHAPTER_AUGMENTATION,
  marginFor,
  mixSamples,
  NO_AUGMENTATION,
  sampleTransform,
  type AugmentationSettings,
  VoxelInspector,
} from '@lunastream/augmentation';
import {
  ChunkErrorCode,
  copySampleVoxels,
  SampleErrorCode,
  VoxelType,
  type SampleReference,
  type StreamSamplesRequest,
} from '@lunastream/contracts';
import { readStream } from '@lunastream/service-kit';
import { collect, failureOf } from '@lunastream/service-kit/testing';
import { voxelCount } from '@lunastream/volume';
import { describe, expect, it, vi } from 'vitest';
import { chunkOf, streamFakeChunks } from '../test/fake-chunk-cache.ts';
import { EPOCH, outcome, RUN_SEED, sample, serve, SHAPE } from '../test/worker-bench.ts';

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
      const value = result?.$case === 'sample' ? result.value : expect.fail('a sample is missing');
      const { checksum } = new VoxelInspector().inspect(value.voxelsHu, 'float32');
      expect(value.voxelsChecksum).toBe(checksum);
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
    const { openLease, counts } = await serve();
    const took: number[] = [];
    counts.onSampleMade = (tookMs) => took.push(tookMs);
    const samples = [sample(1), sample(2, 'damaged'), sample(3)];
    const responses = await collect(openLease({ samples, augmentation: CHAPTER_AUGMENTATION }));
    const border = responses.map(({ result }) =>
      result?.$case === 'sample' ? Math.round(result.value.borderFraction * voxelCount(SHAPE)) : 0,
    );
    expect(counts).toMatchObject({
      sampleCount: 2,
      failureCount: 1,
      voxelCount: 2 * voxelCount(SHAPE),
      borderVoxelCount: border[0]! + border[2]!,
    });
    expect(counts.borderVoxelCount).toBeGreaterThan(0);
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
