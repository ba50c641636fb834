import { RandomPurpose, RandomStream } from '@lunastream/random';
import { compileAugmentationSettings, type AugmentationSettings } from './augmentation-settings.ts';

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
  /** Shift in the [-1, 1] coordinates of the chunk. */
  readonly offset: PerAxis<number>;
  /** Factor on sampling coordinates; above 1 zooms out. */
  readonly scale: PerAxis<number>;
  /** Rotation in the row/column plane, 0..2π. */
  readonly angleRadians: number;
  /** Standard deviation in HU; 0 adds nothing. */
  readonly noiseHu: number;
  /** Keys the noise, voxel by voxel. */
  readonly key: SampleKey;
}

/**
 * Draws the transform of one sample, a pure function of its arguments. All ten numbers are drawn whatever the settings
 * are, so that switching one transform on or off leaves the others as they were.
 * @throws AugmentationSettingsError on a setting out of range, RangeError on a key that is not unsigned 32-bit.
 */
export function sampleTransform(settings: AugmentationSettings, key: SampleKey): SampleTransform {
  const { flip, offset, scale, rotate, noiseHu } = compileAugmentationSettings(settings);
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
    noiseHu,
    key: { runSeed: key.runSeed, epoch: key.epoch, ordinal: key.ordinal },
  };
}
