import { performance } from 'node:perf_hooks';
import {
  IDENTITY_MATRIX,
  mixSamples,
  sampleTransform,
  VoxelInspector,
  type Augmenter,
  type SampleBuffer,
  type SampleReport,
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
  const { withChecksum, headroomBytes } = layout;
  const sample = {
    voxels: new arrayOf[job.voxelType](buffer, headroomBytes, voxelCount(job.sampleShape)),
    shape: job.sampleShape,
    withChecksum,
  };
  const { borderFraction, checksum } =
    job.partner === undefined
      ? makeAlone(augmenter, job, job.source, sample)
      : makeMixed(augmenter, job, job.partner, sample);
  return { buffer, borderFraction, checksum: checksum ?? 0, tookMs: performance.now() - startMs };
}

/** Of this thread, made when it is first needed. */
let inspector: VoxelInspector | undefined;

function checksumOf({ voxels }: SampleBuffer): number {
  inspector ??= new VoxelInspector();
  const bytes = new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  return inspector.inspect(bytes, voxels instanceof Float32Array ? 'float32' : 'float16').checksum;
}

function makeAlone(
  augmenter: Augmenter,
  { sourceShape, augmentation }: TransformJob,
  { voxels, key }: TransformSource,
  sample: SampleBuffer,
) {
  const transform = sampleTransform(augmentation, key);
  const chunk = { voxelsHu: new Int16Array(voxels), shape: sourceShape };
  return { ...augmenter.apply(chunk, transform, sample), lambda: transform.mixupLambda };
}

function makeMixed(
  augmenter: Augmenter,
  job: TransformJob,
  partner: TransformSource,
  sample: SampleBuffer,
): SampleReport {
  const { voxels, shape, withChecksum } = sample;
  const own = voxels instanceof Float32Array ? voxels : new Float32Array(voxels.length);
  const other = new Float32Array(voxels.length);
  const { borderFraction, lambda } = makeAlone(augmenter, job, job.source, { voxels: own, shape });
  makeAlone(augmenter, job, partner, { voxels: other, shape });
  mixSamples(own, other, lambda, own);
  // Moves nothing: copies, and rounds.
  if (own !== voxels) augmenter.resample({ voxelsHu: own, shape }, IDENTITY_MATRIX, { voxels, shape });
  return { borderFraction, checksum: withChecksum ? checksumOf(sample) : undefined };
}
