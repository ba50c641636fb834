import { performance } from 'node:perf_hooks';
import {
  IDENTITY_MATRIX,
  mixSamples,
  sampleTransform,
  VoxelInspector,
  type Augmenter,
} from '@lunastream/augmentation';
import { voxelCount } from '@lunastream/volume';
import type { MadeSample, SampleLayout, TransformJob, TransformSource } from './transform-messages.ts';

/** A sample alone: no headroom, no checksum. */
const PLAIN_LAYOUT: SampleLayout = { headroomBytes: 0, withChecksum: false };

const arrayOf = { float32: Float32Array, float16: Uint16Array } as const;

/** Bytes of a sample's memory. */
export function sampleBufferBytes(
  { sampleShape, voxelType }: Pick<TransformJob, 'sampleShape' | 'voxelType'>,
  { headroomBytes }: SampleLayout,
): number {
  return headroomBytes + voxelCount(sampleShape) * arrayOf[voxelType].BYTES_PER_ELEMENT;
}

/**
 * Makes one sample: draws its transform, applies it, and mixes its partner in, where it has one. A partner is the sample
 * of its own key, so both of a pair are what they would be alone. Rounding to float16 comes last. `buffer` has the
 * bytes that `sampleBufferBytes` tells.
 */
export function makeSample(
  augmenter: Augmenter,
  job: TransformJob,
  layout = PLAIN_LAYOUT,
  buffer = new ArrayBuffer(sampleBufferBytes(job, layout)),
): MadeSample {
  const startMs = performance.now();
  const voxels = new arrayOf[job.voxelType](buffer, layout.headroomBytes, voxelCount(job.sampleShape));
  const borderFraction =
    job.partner === undefined
      ? makeAlone(augmenter, job, job.source, voxels).borderFraction
      : makeMixed(augmenter, job, job.partner, voxels);
  return {
    buffer,
    borderFraction,
    checksum: layout.withChecksum ? checksumOf(new Uint8Array(buffer, layout.headroomBytes), job) : 0,
    tookMs: performance.now() - startMs,
  };
}

/** Of this thread, made when it is first needed. */
let inspector: VoxelInspector | undefined;

function checksumOf(voxels: Uint8Array, { voxelType }: TransformJob): number {
  inspector ??= new VoxelInspector();
  return inspector.inspect(voxels, voxelType).checksum;
}

function makeAlone(
  augmenter: Augmenter,
  { sampleShape, sourceShape, augmentation }: TransformJob,
  { voxels, key }: TransformSource,
  sample: Float32Array | Uint16Array,
) {
  const transform = sampleTransform(augmentation, key);
  const chunk = { voxelsHu: new Int16Array(voxels), shape: sourceShape };
  const { borderFraction } = augmenter.apply(chunk, transform, { voxels: sample, shape: sampleShape });
  return { borderFraction, lambda: transform.mixupLambda };
}

function makeMixed(
  augmenter: Augmenter,
  job: TransformJob,
  partner: TransformSource,
  sample: Float32Array | Uint16Array,
): number {
  const own = sample instanceof Float32Array ? sample : new Float32Array(sample.length);
  const other = new Float32Array(sample.length);
  const { borderFraction, lambda } = makeAlone(augmenter, job, job.source, own);
  makeAlone(augmenter, job, partner, other);
  mixSamples(own, other, lambda, own);
  if (own !== sample) {
    const shape = job.sampleShape;
    // Moves nothing: copies, and rounds.
    augmenter.resample({ voxelsHu: own, shape }, IDENTITY_MATRIX, { voxels: sample, shape });
  }
  return borderFraction;
}
