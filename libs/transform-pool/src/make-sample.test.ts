import {
  applyTransform,
  Augmenter,
  CHAPTER_AUGMENTATION,
  IDENTITY_MATRIX,
  marginFor,
  mixSamples,
  NO_AUGMENTATION,
  sampleTransform,
  VoxelInspector,
} from '@lunastream/augmentation';
import { voxelCount, type Shape } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { makeSample } from './make-sample.ts';

const SHAPE = { depth: 4, height: 6, width: 8 };
const augmenter = new Augmenter();
const voxelType = 'float32' as const;

function chunkOf(shape: Shape, seed: number): Int16Array {
  return Int16Array.from(
    { length: voxelCount(shape) },
    (_, voxel) => ((voxel * 37 + seed * 101) % 1500) - 1000,
  );
}

/** Its own buffer, as it arrives on a thread. */
const sourceOf = (chunk: Int16Array, ordinal: number) => ({
  voxels: chunk.slice().buffer,
  key: { runSeed: 5, epoch: 2, ordinal },
});

describe('makeSample()', () => {
  it('makes what applyTransform makes of the drawn transform', () => {
    const chunk = chunkOf(SHAPE, 1);
    const source = sourceOf(chunk, 9);
    const job = {
      sampleShape: SHAPE,
      sourceShape: SHAPE,
      augmentation: CHAPTER_AUGMENTATION,
      voxelType,
      source,
    };
    const { buffer, borderFraction } = makeSample(augmenter, job);
    const expected = applyTransform(chunk, SHAPE, sampleTransform(CHAPTER_AUGMENTATION, source.key));
    expect(new Float32Array(buffer)).toEqual(expected);
    expect(borderFraction).toBeGreaterThan(0);
  });

  it('repeats no border with the margin that the settings need', () => {
    const sourceShape = marginFor(CHAPTER_AUGMENTATION, SHAPE);
    for (let ordinal = 0; ordinal < 50; ordinal++) {
      const source = sourceOf(chunkOf(sourceShape, 1), ordinal);
      const job = { sampleShape: SHAPE, sourceShape, augmentation: CHAPTER_AUGMENTATION, voxelType, source };
      expect(makeSample(augmenter, job).borderFraction).toBe(0);
    }
  });

  it('mixes the partner in as it would be alone, by the weight of the sample', () => {
    const augmentation = { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 };
    const common = { sampleShape: SHAPE, sourceShape: SHAPE, augmentation, voxelType };
    const alone = (seed: number, ordinal: number) =>
      new Float32Array(
        makeSample(augmenter, { ...common, source: sourceOf(chunkOf(SHAPE, seed), ordinal) }).buffer,
      );
    const mixed = makeSample(augmenter, {
      ...common,
      source: sourceOf(chunkOf(SHAPE, 1), 3),
      partner: sourceOf(chunkOf(SHAPE, 2), 70),
    });
    const { mixupLambda } = sampleTransform(augmentation, { runSeed: 5, epoch: 2, ordinal: 3 });
    expect(mixupLambda).toBeLessThan(1);
    expect(new Float32Array(mixed.buffer)).toEqual(mixSamples(alone(1, 3), alone(2, 70), mixupLambda));
  });

  it.each(['alone', 'mixed'])('rounds a sample to float16 as the last step, %s', (how) => {
    const common = {
      sampleShape: SHAPE,
      sourceShape: SHAPE,
      augmentation: { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 },
    };
    const partner = how === 'mixed' ? sourceOf(chunkOf(SHAPE, 2), 70) : undefined;
    const job = { ...common, partner, source: sourceOf(chunkOf(SHAPE, 1), 3) };
    const exact = new Float32Array(makeSample(augmenter, { ...job, voxelType: 'float32' }).buffer);
    const rounded = new Uint16Array(voxelCount(SHAPE));
    augmenter.resample({ voxelsHu: exact, shape: SHAPE }, IDENTITY_MATRIX, { voxels: rounded, shape: SHAPE });
    const made = makeSample(augmenter, { ...job, voxelType: 'float16' });
    expect(new Uint16Array(made.buffer)).toEqual(rounded);
  });

  it('leaves headroom free, uses the memory it is given, and tells the checksum of the voxels', () => {
    const source = sourceOf(chunkOf(SHAPE, 1), 3);
    const job = {
      sampleShape: SHAPE,
      sourceShape: SHAPE,
      augmentation: CHAPTER_AUGMENTATION,
      voxelType,
      source,
    };
    const voxelBytes = new Uint8Array(makeSample(augmenter, job).buffer);
    const memory = new ArrayBuffer(12 + voxelBytes.length);
    new Uint8Array(memory).fill(7);
    const made = makeSample(augmenter, job, { headroomBytes: 12, withChecksum: true }, memory);
    expect(made.buffer).toBe(memory);
    expect(new Uint8Array(memory)).toEqual(Uint8Array.of(...new Array<number>(12).fill(7), ...voxelBytes));
    expect(made.checksum).toBe(new VoxelInspector().inspect(voxelBytes, job.voxelType).checksum);
    expect(made.tookMs).toBeGreaterThanOrEqual(0);
  });

  it('makes the same of shared memory', () => {
    const chunk = chunkOf(SHAPE, 1);
    const voxels = new SharedArrayBuffer(chunk.byteLength);
    new Int16Array(voxels).set(chunk);
    const job = { sampleShape: SHAPE, sourceShape: SHAPE, augmentation: CHAPTER_AUGMENTATION, voxelType };
    const source = sourceOf(chunk, 3);
    const shared = makeSample(augmenter, { ...job, source: { ...source, voxels } });
    expect(shared.buffer).toEqual(makeSample(augmenter, { ...job, source }).buffer);
  });

  it('copies the chunk where nothing is to be changed', () => {
    const chunk = chunkOf(SHAPE, 4);
    const job = {
      sampleShape: SHAPE,
      sourceShape: SHAPE,
      augmentation: NO_AUGMENTATION,
      voxelType,
      source: sourceOf(chunk, 0),
    };
    expect(makeSample(augmenter, job)).toMatchObject({
      buffer: Float32Array.from(chunk).buffer,
      borderFraction: 0,
      checksum: 0,
    });
  });
});
