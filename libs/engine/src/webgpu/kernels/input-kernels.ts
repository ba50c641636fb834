/**
 * What happens to voxels on the device before the network sees them: their mean and variance over the batch, the running average
 * of both, and the normalisation (input-normalisation.ts in float32). Sums have a fixed order on a device.
 */
import type { InputNormalisation } from '../../input-normalisation.ts';
import { NORMALISATION_EPSILON, NORMALISATION_MOMENTUM } from '../../luna-model.ts';
import type { GpuKernel } from './gpu-kernel.ts';

const THREADS = 256;
/** Voxels that a workgroup measures. */
const SEGMENT = 4096;

const int = (name: string, value: number) => ({ name, type: 'int32' as const, data: [value] });
const float = (name: string, value: number) => ({ name, type: 'float32' as const, data: [value] });

/** Samples of `size` voxels each. */
export interface InputGeometry {
  readonly samples: number;
  readonly size: number;
}

const segmentsOf = (size: number): number => Math.ceil(size / SEGMENT);

/**
 * Reads `x`, a group of a batch's samples from `firstSample` on, and gives, or writes into the batch's array, of each segment of
 * a sample its mean and its sum of squares around it.
 */
export function segmentStatisticsKernel(
  { samples, size }: InputGeometry,
  { firstSample, batchSamples }: { readonly firstSample: number; readonly batchSamples: number },
): GpuKernel {
  const segments = segmentsOf(size);
  return {
    key: 'segment-statistics',
    inputs: [['x', 1]],
    output: { shape: [batchSamples * segments * 2], components: 1 },
    uniforms: [
      int('size', size),
      int('segmentsOfSample', segments),
      int('segments', samples * segments),
      int('firstSegment', firstSample * segments),
    ],
    threads: THREADS,
    workgroups: samples * segments,
    groupSum: 'f32',
    code: `
fn main(thread: i32) {
  let segment = groupIndex();
  let start = (segment % uniforms.segmentsOfSample) * ${SEGMENT};
  let first = (segment / uniforms.segmentsOfSample) * uniforms.size + start;
  let length = select(0, min(${SEGMENT}, uniforms.size - start), segment < uniforms.segments);
  var sum = 0.0;
  for (var index = laneIndex(); index < length; index += ${THREADS}) { sum += x[first + index]; }
  let mean = sumOfGroup(sum) / f32(max(length, 1));
  sum = 0.0;
  for (var index = laneIndex(); index < length; index += ${THREADS}) {
    let fromMean = x[first + index] - mean;
    sum += fromMean * fromMean;
  }
  let squares = sumOfGroup(sum);
  if (laneIndex() == 0 && segment < uniforms.segments) {
    result[(uniforms.firstSegment + segment) * 2] = mean;
    result[(uniforms.firstSegment + segment) * 2 + 1] = squares;
  }
}`,
  };
}

/** Where the statistics lie: the running ones, then those of the latest batch that was measured; mean and variance each. */
export const STATISTICS_LENGTH = 4;

/**
 * To be run into the statistics: puts the segments of a batch together (Chan, Golub and LeVeque, 1979) and takes the batch into the
 * running average, which keeps the unbiased variance, as PyTorch's does. Reads `parts`.
 */
export function batchStatisticsKernel({ samples, size }: InputGeometry): GpuKernel {
  const voxels = samples * size;
  return {
    key: 'batch-statistics',
    inputs: [['parts', 1]],
    output: { shape: [STATISTICS_LENGTH], components: 1 },
    uniforms: [
      int('size', size),
      int('segmentsOfSample', segmentsOf(size)),
      int('segments', samples * segmentsOf(size)),
      float('voxels', voxels),
      float('unbias', voxels / (voxels - 1)),
      float('kept', 1 - NORMALISATION_MOMENTUM),
      float('taken', NORMALISATION_MOMENTUM),
    ],
    threads: THREADS,
    workgroups: 1,
    groupSum: 'f32',
    code: `
fn voxelsOf(segment: i32) -> f32 {
  return f32(min(${SEGMENT}, uniforms.size - (segment % uniforms.segmentsOfSample) * ${SEGMENT}));
}
fn main(thread: i32) {
  var sum = 0.0;
  for (var segment = laneIndex(); segment < uniforms.segments; segment += ${THREADS}) {
    sum += parts[segment * 2] * (voxelsOf(segment) / uniforms.voxels);
  }
  let mean = sumOfGroup(sum);
  sum = 0.0;
  for (var segment = laneIndex(); segment < uniforms.segments; segment += ${THREADS}) {
    let fromMean = parts[segment * 2] - mean;
    sum += parts[segment * 2 + 1] + voxelsOf(segment) * fromMean * fromMean;
  }
  let variance = sumOfGroup(sum) / uniforms.voxels;
  if (laneIndex() == 0) {
    result[0] = uniforms.kept * result[0] + uniforms.taken * mean;
    result[1] = uniforms.kept * result[1] + uniforms.taken * (variance * uniforms.unbias);
    result[2] = mean;
    result[3] = variance;
  }
}`,
  };
}

/** WGSL's tanh is free to overflow; beyond 20 it is 1. */
const BENDS: Readonly<Record<InputNormalisation, string>> = {
  batch: 'value',
  fixed: 'value',
  'signed-sqrt': 'sign(value) * sqrt(abs(value))',
  'signed-log': 'sign(value) * log(1.0 + abs(value))',
  tanh: 'tanh(clamp(value, -20.0, 20.0))',
};

/** Reads `x`, `length` voxels in HU, and `statistics`: the latest batch's, or the running ones. */
export function normaliseKernel(
  length: number,
  { normalisation, isOfBatch }: { readonly normalisation: InputNormalisation; readonly isOfBatch: boolean },
): GpuKernel {
  return {
    key: `normalise-${normalisation}`,
    inputs: [
      ['x', 1],
      ['statistics', 1],
    ],
    output: { shape: [length], components: 1 },
    uniforms: [
      int('length', length),
      int('mean', isOfBatch ? 2 : 0),
      float('epsilon', NORMALISATION_EPSILON),
    ],
    threads: THREADS,
    workgroups: Math.ceil(length / THREADS),
    code: `
fn main(thread: i32) {
  if (thread >= uniforms.length) { return; }
  let value = (x[thread] - statistics[uniforms.mean]) / sqrt(statistics[uniforms.mean + 1] + uniforms.epsilon);
  result[thread] = ${BENDS[normalisation]};
}`,
  };
}
