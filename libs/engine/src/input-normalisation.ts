/**
 * What a voxel in HU is normalised to before the network's learned scale and shift. With `batch`, batch normalisation of the
 * one input channel (BatchNorm3d(1)), as in chapter 12; its statistics need the voxels only, so they are known before the
 * network runs: samples can then pass one by one, and the batch may have any size. The others (exercise 5 of the chapter)
 * start from fixed statistics, those that the published weights ended with, and may bend the result.
 */
import { NORMALISATION_EPSILON, NORMALISATION_MOMENTUM } from './luna-model.ts';

/** In the order of their numbers in the kernels. */
export const INPUT_NORMALISATIONS = ['batch', 'fixed', 'signed-sqrt', 'signed-log', 'tanh'] as const;
export type InputNormalisation = (typeof INPUT_NORMALISATIONS)[number];

/** Mean in HU and biased variance in HU² over all voxels of a batch. */
export interface InputStatistics {
  readonly mean: number;
  readonly variance: number;
}

/** What evaluation normalises with: an exponential average over training batches. */
export interface RunningStatistics extends InputStatistics {
  readonly batchesTracked: number;
}

/** PyTorch's start: no shift, no scale. */
export const INITIAL_RUNNING_STATISTICS: RunningStatistics = { mean: 0, variance: 1, batchesTracked: 0 };

/** Mean -600 HU and deviation 390 HU: rounded from the chapter's three published models (facts 1.11). */
export const FIXED_STATISTICS: InputStatistics = { mean: -600, variance: 390 ** 2 };

/** What a normalised value becomes: itself, or one that large values are pulled in for. */
const BENDS: Readonly<Record<InputNormalisation, ((value: number) => number) | undefined>> = {
  batch: undefined,
  fixed: undefined,
  'signed-sqrt': (value) => Math.sign(value) * Math.sqrt(Math.abs(value)),
  'signed-log': (value) => Math.sign(value) * Math.log1p(Math.abs(value)),
  tanh: Math.tanh,
};

/**
 * Two passes in double precision: HU reach ±1000, and a one-pass float32 sum of squares would lose digits. (Plain loops: `for … of`
 * over a typed array takes some twenty times as long.)
 */
export function batchStatistics(voxelsHu: Float32Array): InputStatistics {
  let sum = 0;
  for (let voxel = 0; voxel < voxelsHu.length; voxel++) sum += voxelsHu[voxel]!;
  const mean = sum / voxelsHu.length;
  let squares = 0;
  for (let voxel = 0; voxel < voxelsHu.length; voxel++) {
    const fromMean = voxelsHu[voxel]! - mean;
    squares += fromMean * fromMean;
  }
  return { mean, variance: squares / voxelsHu.length };
}

/**
 * The running statistics after one more batch of `voxelCount` voxels. As in PyTorch the batch is normalised with the
 * biased variance, while the average keeps the unbiased one. Rounded to float32, the precision they are saved in.
 */
export function updateRunningStatistics(
  running: RunningStatistics,
  batch: InputStatistics,
  voxelCount: number,
): RunningStatistics {
  const unbiased = (batch.variance * voxelCount) / (voxelCount - 1);
  const blend = (old: number, fresh: number) =>
    Math.fround((1 - NORMALISATION_MOMENTUM) * old + NORMALISATION_MOMENTUM * fresh);
  return {
    mean: blend(running.mean, batch.mean),
    variance: blend(running.variance, unbiased),
    batchesTracked: running.batchesTracked + 1,
  };
}

/** New array of (voxel - mean) / sqrt(variance + epsilon), bent as `normalisation` says. */
export function normaliseVoxels(
  voxelsHu: Float32Array,
  { mean, variance }: InputStatistics,
  normalisation: InputNormalisation = 'batch',
): Float32Array<ArrayBuffer> {
  const scale = 1 / Math.sqrt(variance + NORMALISATION_EPSILON);
  const bend = BENDS[normalisation];
  const normalised = new Float32Array(voxelsHu.length);
  for (let voxel = 0; voxel < voxelsHu.length; voxel++) normalised[voxel] = (voxelsHu[voxel]! - mean) * scale;
  return bend === undefined ? normalised : normalised.map(bend);
}

/** Gradients of the scale and the shift that follow the normalisation, given that of their output. */
export function normalisationGradients(
  normalised: Float32Array,
  outputGradient: Float32Array,
): { scale: number; shift: number } {
  let scale = 0;
  let shift = 0;
  for (let voxel = 0; voxel < normalised.length; voxel++) {
    scale += outputGradient[voxel]! * normalised[voxel]!;
    shift += outputGradient[voxel]!;
  }
  return { scale, shift };
}
