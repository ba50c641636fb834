import { performance } from 'node:perf_hooks';
import {
  IDENTITY_MATRIX,
  mixSamples,
  NO_AUGMENTATION,
  sampleTransform,
  VoxelInspector,
  type AugmentationSettings,
  type Augmenter,
  type SampleBuffer,
  type SampleReport,
  type SourceChunk,
} from '@lunastream/augmentation';
import { voxelCount } from '@lunastream/volume';
import type { MadeSample, SampleLayout, TransformJob, TransformSource } from './transform-messages.ts';

const SETTINGS = Object.keys(NO_AUGMENTATION) as (keyof AugmentationSettings)[];

/** Whether samples without a partner are more than the middle of their chunks. */
export function changesVoxels(augmentation: AugmentationSettings): boolean {
  return SETTINGS.some((name) => augmentation[name] !== NO_AUGMENTATION[name]);
}

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
  const { borderFraction, checksum } = makeVoxels(augmenter, job, sample);
  return { buffer, borderFraction, checksum: checksum ?? 0, tookMs: performance.now() - startMs };
}

function makeVoxels(augmenter: Augmenter, job: TransformJob, sample: SampleBuffer): SampleReport {
  if (job.partner !== undefined) return makeMixed(augmenter, job, job.partner, sample);
  if (changesVoxels(job.augmentation)) return makeAlone(augmenter, job, job.source, sample);
  // What all draws would come to.
  return augmenter.resample(chunkOf(job, job.source), IDENTITY_MATRIX, sample);
}

function chunkOf({ sourceShape }: TransformJob, { voxels }: TransformSource): SourceChunk {
  return { voxelsHu: new Int16Array(voxels), shape: sourceShape };
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
  job: TransformJob,
  source: TransformSource,
  sample: SampleBuffer,
): SampleReport & { readonly lambda: number } {
  const transform = sampleTransform(job.augmentation, source.key);
  return { ...augmenter.apply(chunkOf(job, source), transform, sample), lambda: transform.mixupLambda };
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
