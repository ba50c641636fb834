import { AugmentationSettingsError } from './errors.ts';

/** Strengths of the transforms. A transform at `false` or 0 is not applied. */
export interface AugmentationSettings {
  /** Mirrors each of the three axes with probability 1/2. */
  readonly flip: boolean;
  /** Largest shift per axis as a fraction of half the chunk, 0..1. */
  readonly offset: number;
  /** Largest relative change of size per axis, 0 <= scale < 1. */
  readonly scale: number;
  /** Rotates by a uniform angle about the head-foot axis. */
  readonly rotate: boolean;
  /** Standard deviation of added Gaussian noise in HU, 0..1000. */
  readonly noiseHu: number;
  /**
   * Largest elastic displacement along each axis in voxels, 0..6. Control points lie 16 voxels apart, and typical
   * displacements are a fifth of the largest. The limit keeps the deformation from folding.
   */
  readonly elasticVoxels: number;
  /** Largest shift of all voxels in HU, 0..1000. */
  readonly huShift: number;
  /** Largest relative change of attenuation, HU + 1000, so that air stays air; 0..0.9. */
  readonly huScale: number;
  /** Mixes a sample with a partner by a weight from Beta(alpha, alpha); 0 for none, else 0.01..10. */
  readonly mixupAlpha: number;
}

/** No transform: samples are the chunks, unchanged. */
export const NO_AUGMENTATION: AugmentationSettings = {
  flip: false,
  offset: 0,
  scale: 0,
  rotate: false,
  noiseHu: 0,
  elasticVoxels: 0,
  huShift: 0,
  huScale: 0,
  mixupAlpha: 0,
};

/** What `--augmented` switches on: all five of the chapter, at its strengths. */
export const CHAPTER_AUGMENTATION: AugmentationSettings = {
  ...NO_AUGMENTATION,
  flip: true,
  offset: 0.1,
  scale: 0.2,
  rotate: true,
  noiseHu: 25,
};

/** Voxels between control points of the elastic deformation; the kernel wants a power of two. */
export const ELASTIC_SPACING_VOXELS = 16;

export const MAX_NOISE_HU = 1000;
export const MAX_HU_SHIFT = 1000;
/**
 * A cubic B-spline deformation in three dimensions is one-to-one when every control point moves by less than 0.403 of
 * their spacing along each axis (Choi and Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions",
 * Graphical Models 62, 2000): 6.4 voxels here.
 */
export const MAX_ELASTIC_VOXELS = 6;
const MAX_HU_SCALE = 0.9;
const MIXUP_ALPHA_RANGE = { low: 0.01, high: 10 };

/**
 * Returns `settings` when every field is in its range.
 * @throws AugmentationSettingsError naming the first field that is not, with its range.
 */
export function compileAugmentationSettings(settings: AugmentationSettings): AugmentationSettings {
  const { offset, scale, noiseHu, elasticVoxels, huShift, huScale, mixupAlpha } = settings;
  if (!(offset >= 0 && offset <= 1)) throw new AugmentationSettingsError('offset', 'in 0..1', offset);
  if (!(scale >= 0 && scale < 1))
    throw new AugmentationSettingsError('scale', 'at least 0 and below 1', scale);
  assertUpTo('noiseHu', MAX_NOISE_HU, noiseHu);
  assertUpTo('elasticVoxels', MAX_ELASTIC_VOXELS, elasticVoxels);
  assertUpTo('huShift', MAX_HU_SHIFT, huShift);
  assertUpTo('huScale', MAX_HU_SCALE, huScale);
  const { low, high } = MIXUP_ALPHA_RANGE;
  if (mixupAlpha !== 0 && !(mixupAlpha >= low && mixupAlpha <= high)) {
    throw new AugmentationSettingsError('mixupAlpha', `0 or in ${low}..${high}`, mixupAlpha);
  }
  return settings;
}

function assertUpTo(field: keyof AugmentationSettings, highest: number, value: number): void {
  if (!(value >= 0 && value <= highest)) {
    throw new AugmentationSettingsError(field, `in 0..${highest}`, value);
  }
}
