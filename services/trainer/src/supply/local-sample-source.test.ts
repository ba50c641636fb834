import {
  applyTransform,
  Augmenter,
  CHAPTER_AUGMENTATION,
  IDENTITY_MATRIX,
  marginFor,
  mixSamples,
  NO_AUGMENTATION,
  sampleTransform,
} from '@lunastream/augmentation';
import { openChunkSource, type ChunkSource } from '@lunastream/chunk-source';
import { candidateRow, centerOf, layOutScans } from '@lunastream/chunk-source/testing';
import { copySampleVoxels, VoxelType } from '@lunastream/contracts';
import { withTemporaryFolder } from '@lunastream/testing';
import { makeSample, SharedBuffers, type SampleMaker, type TransformJob } from '@lunastream/transform-pool';
import { voxelCount } from '@lunastream/volume';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SampleUnavailableError } from '../errors.ts';
import { LocalSampleSource } from './local-sample-source.ts';
import type { PlannedSample, SamplePlan } from './sample-source.ts';

const SHAPE = { depth: 4, height: 6, width: 8 };
const VOXELS = voxelCount(SHAPE);

/** Makes samples on this thread, each when `gate` lets it. Memory given back is scribbled over at once. */
class InlineMaker implements SampleMaker {
  readonly capacity = 2;
  mostUnderWay = 0;
  gate: () => Promise<void> = () => new Promise((resolve) => setImmediate(resolve));
  readonly #augmenter = new Augmenter();
  #underWay = 0;

  async make(job: TransformJob) {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.#underWay);
    await this.gate();
    this.#underWay--;
    return makeSample(this.#augmenter, job);
  }

  giveBack(buffer: ArrayBuffer): void {
    new Uint8Array(buffer).fill(0xa5);
  }
}

const placeOf = (seriesUid: string, ordinal: number): PlannedSample => ({
  seriesUid,
  centerXyzMm: centerOf(5 + (ordinal % 3), 6 + (ordinal % 5), 8 + (ordinal % 4)),
});

/** Runs `use` with a source of samples of two small scans, and with what they must be. */
function withSource(
  use: (parts: {
    source: LocalSampleSource;
    maker: InlineMaker;
    chunks: ChunkSource;
    planOf: (count: number, changes?: Partial<SamplePlan>) => SamplePlan;
    expected: (plan: SamplePlan, ordinal: number) => Promise<Float32Array>;
  }) => Promise<void>,
): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    const data = await layOutScans(join(folder, 'data'), [candidateRow('a', [5, 6, 8], true)]);
    const chunks = openChunkSource(
      {
        datasets: [{ name: 'luna', folder: data }],
        storeFolder: join(folder, 'chunks'),
        memoryLimitBytes: 2 ** 20,
        storeLimitBytes: 2 ** 24,
        volumeLimitBytes: 2 ** 24,
      },
      {
        onTierError: (tier, error) => {
          throw new Error(`tier ${tier} failed`, { cause: error });
        },
        onTierRecovered: () => undefined,
      },
    );
    const { fingerprint } = await chunks.getDataset('luna');
    const planOf = (count: number, changes: Partial<SamplePlan> = {}): SamplePlan => ({
      dataset: 'luna',
      datasetFingerprint: fingerprint,
      runSeed: 7,
      epoch: 3,
      chunkShape: SHAPE,
      augmentation: CHAPTER_AUGMENTATION,
      margin: false,
      voxelType: 'float32',
      border: 'shift',
      samples: Array.from({ length: count }, (_, ordinal) => placeOf(ordinal % 2 === 0 ? 'a' : 'b', ordinal)),
      ...changes,
    });
    const expected = async (plan: SamplePlan, ordinal: number) => {
      const { seriesUid, centerXyzMm } = plan.samples[ordinal]!;
      const grownShape = plan.margin ? marginFor(plan.augmentation, SHAPE) : SHAPE;
      const extent = { shape: SHAPE, grownShape, border: plan.border };
      const chunk = await chunks.getChunk(await chunks.getDataset('luna'), seriesUid, centerXyzMm, extent);
      const transform = sampleTransform(plan.augmentation, { runSeed: 7, epoch: 3, ordinal });
      return applyTransform(chunk, grownShape, transform, SHAPE);
    };
    const maker = new InlineMaker();
    const source = new LocalSampleSource({
      chunks,
      maker,
      buffers: new SharedBuffers({ limitBytes: 2 ** 20 }),
    });
    try {
      await use({ source, maker, chunks, planOf, expected });
    } finally {
      await source.settled();
      await chunks.close();
    }
  });
}

const sampleAt = (batch: Float32Array, position: number) =>
  batch.subarray(position * VOXELS, (position + 1) * VOXELS);

describe('LocalSampleSource', () => {
  it.each([
    ['without margin', {}],
    ['with margin', { margin: true }],
    ['at borders filled with air', { border: 'pad-air' as const }],
    ['unchanged', { augmentation: NO_AUGMENTATION }],
  ])('makes what workers make, each sample in its place: %s', (_, changes) =>
    withSource(async ({ source, planOf, expected }) => {
      const plan = planOf(11, changes);
      const stream = source.open(plan);
      const batches = [
        new Float32Array(4 * VOXELS),
        new Float32Array(4 * VOXELS),
        new Float32Array(3 * VOXELS),
      ];
      await Promise.all(batches.map((batch, index) => stream.fill(4 * index, batch)));
      for (let ordinal = 0; ordinal < 11; ordinal++) {
        const made = sampleAt(batches[Math.floor(ordinal / 4)]!, ordinal % 4);
        expect(made).toEqual(await expected(plan, ordinal));
      }
      expect(stream.borderFraction() > 0).toBe(!plan.margin && plan.augmentation !== NO_AUGMENTATION);
    }),
  );

  it('mixes partners in, and rounds to float16 last', () =>
    withSource(async ({ source, planOf, expected }) => {
      const augmentation = { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 };
      const plan = planOf(3, { augmentation, voxelType: 'float16' });
      const samples = [{ ...plan.samples[0]!, partnerOrdinal: 2 }, ...plan.samples.slice(1)];
      const batch = new Float32Array(VOXELS);
      await source.open({ ...plan, samples }).fill(0, batch);
      const { mixupLambda } = sampleTransform(augmentation, { runSeed: 7, epoch: 3, ordinal: 0 });
      const mixed = mixSamples(await expected(plan, 0), await expected(plan, 2), mixupLambda);
      const halves = new Uint16Array(VOXELS);
      const shape = SHAPE;
      new Augmenter().resample({ voxelsHu: mixed, shape }, IDENTITY_MATRIX, { voxels: halves, shape });
      const rounded = new Float32Array(VOXELS);
      copySampleVoxels({ voxelsHu: Buffer.from(halves.buffer), voxelType: VoxelType.FLOAT16 }, rounded);
      expect(batch).toEqual(rounded);
    }));

  it('has no more under way than threads and chunk reads have work for', () =>
    withSource(async ({ source, maker, planOf }) => {
      await source.open(planOf(40)).fill(0, new Float32Array(40 * VOXELS));
      expect(maker.mostUnderWay).toBeLessThanOrEqual(maker.capacity + 8);
    }));

  it('counts what it made, and the bytes of places that wait', () =>
    withSource(async ({ source, maker, planOf }) => {
      const took: number[] = [];
      source.made.onSampleMade = (tookMs) => took.push(tookMs);
      let queuedBytes = 0;
      const turn = maker.gate;
      maker.gate = () => {
        queuedBytes = Math.max(queuedBytes, source.made.queuedBytes);
        return turn();
      };
      const stream = source.open(planOf(5));
      const filled = stream.fill(0, new Float32Array(5 * VOXELS));
      expect(source.counts.awaitedBytes).toBe(5 * VOXELS * 4);
      await filled;
      expect(source.counts).toEqual({ sampleCount: 5, awaitedBytes: 0, failedChunkCount: 0 });
      expect(source.made).toMatchObject({
        sampleCount: 5,
        failureCount: 0,
        voxelCount: 5 * VOXELS,
        queuedBytes: 0,
      });
      expect(source.made.borderVoxelCount / (5 * VOXELS)).toBeCloseTo(stream.borderFraction());
      expect(queuedBytes).toBeGreaterThan(0);
      expect(took.length).toBe(5);
    }));

  it('counts what failed; a stream that is closed waits for nothing', () =>
    withSource(async ({ source, maker, planOf }) => {
      const missing = source.open(planOf(1, { samples: [placeOf('gone', 0)] }));
      await missing.fill(0, new Float32Array(VOXELS)).catch(() => undefined);
      expect(source.counts).toMatchObject({ awaitedBytes: VOXELS * 4, failedChunkCount: 1 });
      maker.gate = () => Promise.reject(new Error('the thread ended'));
      const broken = source.open(planOf(1));
      await broken.fill(0, new Float32Array(VOXELS)).catch(() => undefined);
      expect(source.made).toMatchObject({ sampleCount: 0, failureCount: 2, queuedBytes: 0 });
      for (const stream of [missing, broken]) stream.close(new Error('seen'));
      expect(source.counts).toEqual({ sampleCount: 0, awaitedBytes: 0, failedChunkCount: 1 });
    }));

  it.each([
    [
      'a scan that is not there',
      { samples: [placeOf('a', 0), placeOf('gone', 1)] },
      /^Cannot make sample 1: .*no scan gone/,
    ],
    ['a data set that changed', { datasetFingerprint: 'f00d' }, /^Cannot make sample 0: .* got f00d/],
    [
      'a data set that it does not have',
      { dataset: 'lidc' },
      /^Cannot make sample 0: Cannot find data set 'lidc'/,
    ],
  ])('rejects for %s', (_, changes, message) =>
    withSource(async ({ source, planOf }) => {
      const filled = source.open(planOf(2, changes)).fill(0, new Float32Array(2 * VOXELS));
      await expect(filled).rejects.toThrow(SampleUnavailableError);
      await expect(filled).rejects.toThrow(message);
    }),
  );

  it('writes nothing once it is closed, and whoever waits gets the reason', () =>
    withSource(async ({ source, maker, planOf }) => {
      let open: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => (open = resolve));
      let reach: () => void = () => undefined;
      const reached = new Promise<void>((resolve) => (reach = resolve));
      maker.gate = () => {
        reach();
        return opened;
      };
      const stream = source.open(planOf(3));
      const batch = new Float32Array(3 * VOXELS).fill(7);
      const filled = stream.fill(0, batch);
      await reached;
      const reason = new Error('the run was stopped');
      stream.close(reason);
      await expect(filled).rejects.toBe(reason);
      open();
      await source.settled();
      expect(batch).toEqual(new Float32Array(3 * VOXELS).fill(7));
      await expect(stream.fill(3, batch)).rejects.toBe(reason);
    }));
});
