import { RandomPurpose, RandomStream } from '@lunastream/random';
import {
  compileAugmentationSettings,
  MAX_ELASTIC_VOXELS,
  MAX_NOISE_HU,
  type AugmentationSettings,
} from './augmentation-settings.ts';
import { SampleTransformError } from './errors.ts';

/** Names a sample within all runs: equal keys give equal transforms. Unsigned 32-bit integers. */
export interface SampleKey {
  readonly runSeed: number;
  readonly epoch: number;
  readonly ordinal: number;
}

/** One value per axis in x (column), y (row), z (index) order, as in an affine matrix. */
export type PerAxis<Value> = readonly [Value, Value, Value];

/**
 * The drawn parameters of one sample: a plain record that can be logged, stored as JSON and applied again with equal
 * bytes.
 */
export interface SampleTransform {
  readonly flip: PerAxis<boolean>;
  /** Shift in the [-1, 1] coordinates of the sample. */
  readonly offset: PerAxis<number>;
  /** Factor on sampling coordinates; above 1 zooms out. */
  readonly scale: PerAxis<number>;
  /** Rotation in the row/column plane, 0..2π. */
  readonly angleRadians: number;
  /** Largest elastic displacement in voxels; 0 displaces nothing. The control points are keyed by `key`. */
  readonly elasticVoxels: number;
  /** Factor on HU + 1000, after resampling. */
  readonly huGain: number;
  /** Added to all voxels, after `huGain`. */
  readonly huShift: number;
  /** Standard deviation in HU; 0 adds nothing. */
  readonly noiseHu: number;
  /** Weight of this sample when it is mixed with its partner, by `mixSamples`: 0.5..1, and 1 when it is not mixed. */
  readonly mixupLambda: number;
  /** Keys the noise, voxel by voxel, and the elastic displacement. */
  readonly key: SampleKey;
}

/**
 * Draws the transform of one sample, a pure function of its arguments. The ten numbers of the chapter's transforms are
 * drawn whatever the settings are, and further transforms have streams of their own, so that switching one on or off
 * leaves the others as they were.
 * @throws AugmentationSettingsError on a setting out of range, RangeError on a key that is not unsigned 32-bit.
 */
export function sampleTransform(settings: AugmentationSettings, key: SampleKey): SampleTransform {
  const { flip, offset, scale, rotate, noiseHu, elasticVoxels } = compileAugmentationSettings(settings);
  const stream = new RandomStream({ ...key, purpose: RandomPurpose.transform });
  const perAxis = () => ({
    flip: stream.uniform() > 0.5 && flip,
    offset: offset * stream.uniformBetween(-1, 1),
    scale: 1 + scale * stream.uniformBetween(-1, 1),
  });
  const x = perAxis();
  const y = perAxis();
  const z = perAxis();
  const angle = 2 * Math.PI * stream.uniform();
  return {
    flip: [x.flip, y.flip, z.flip],
    offset: [x.offset, y.offset, z.offset],
    scale: [x.scale, y.scale, z.scale],
    angleRadians: rotate ? angle : 0,
    elasticVoxels,
    ...drawIntensity(settings, key),
    noiseHu,
    mixupLambda: drawMixupLambda(settings, key),
    key: { runSeed: key.runSeed, epoch: key.epoch, ordinal: key.ordinal },
  };
}

function drawIntensity({ huScale, huShift }: AugmentationSettings, key: SampleKey) {
  if (huScale === 0 && huShift === 0) return { huGain: 1, huShift: 0 };
  const stream = new RandomStream({ ...key, purpose: RandomPurpose.intensity });
  return {
    huGain: 1 + huScale * stream.uniformBetween(-1, 1),
    huShift: huShift * stream.uniformBetween(-1, 1),
  };
}

function drawMixupLambda({ mixupAlpha }: AugmentationSettings, key: SampleKey): number {
  if (mixupAlpha === 0) return 1;
  const lambda = new RandomStream({ ...key, purpose: RandomPurpose.mixup }).symmetricBeta(mixupAlpha);
  // A sample stays closer to itself than to its partner, because scores count it by its own label (as in MixMatch,
  // Berthelot et al., NeurIPS 2019). The distribution is symmetric: nothing else changes.
  return Math.max(lambda, 1 - lambda);
}

/** Largest size of a geometric parameter: far beyond any use, and positions in voxels stay exact to a millionth. */
const MAX_PARAMETER = 1e6;
const MAX_GAIN = 10;
const MAX_SHIFT_HU = 1e5;
const MAX_UINT32 = 0xffff_ffff;

/**
 * Checks a record that may come from a file.
 * @throws SampleTransformError naming the first field that cannot be applied.
 */
export function assertSampleTransform(transform: SampleTransform): void {
  const { offset, scale, angleRadians, elasticVoxels, huGain, huShift, noiseHu, key } = transform;
  for (const value of offset) assertWithin('offset', [-MAX_PARAMETER, MAX_PARAMETER], value);
  for (const value of scale) {
    if (!(value > 0 && value <= MAX_PARAMETER)) {
      throw new SampleTransformError('scale', `above 0 and at most ${MAX_PARAMETER}`, value);
    }
  }
  assertWithin('angleRadians', [-MAX_PARAMETER, MAX_PARAMETER], angleRadians);
  assertWithin('elasticVoxels', [0, MAX_ELASTIC_VOXELS], elasticVoxels);
  assertWithin('huGain', [0, MAX_GAIN], huGain);
  assertWithin('huShift', [-MAX_SHIFT_HU, MAX_SHIFT_HU], huShift);
  assertWithin('noiseHu', [0, MAX_NOISE_HU], noiseHu);
  for (const word of ['runSeed', 'epoch', 'ordinal'] as const) {
    if (!Number.isInteger(key[word]) || key[word] < 0 || key[word] > MAX_UINT32) {
      throw new SampleTransformError(`key.${word}`, 'an integer in 0..4294967295', key[word]);
    }
  }
}

function assertWithin(field: string, [low, high]: readonly [number, number], value: number): void {
  if (!(value >= low && value <= high)) {
    throw new SampleTransformError(field, `a number in ${low}..${high}`, value);
  }
}
