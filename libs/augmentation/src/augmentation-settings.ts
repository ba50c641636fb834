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
  /** Standard deviation of added Gaussian noise in HU, >= 0. */
  readonly noiseHu: number;
}

/** No transform: samples are the chunks, unchanged. */
export const NO_AUGMENTATION: AugmentationSettings = {
  flip: false,
  offset: 0,
  scale: 0,
  rotate: false,
  noiseHu: 0,
};

/** What `--augmented` switches on: all five, at the strengths of the chapter. */
export const CHAPTER_AUGMENTATION: AugmentationSettings = {
  flip: true,
  offset: 0.1,
  scale: 0.2,
  rotate: true,
  noiseHu: 25,
};

/**
 * Returns `settings` when every field is in its range.
 * @throws AugmentationSettingsError naming the first field that is not, with its range.
 */
export function compileAugmentationSettings(settings: AugmentationSettings): AugmentationSettings {
  const { offset, scale, noiseHu } = settings;
  if (!(offset >= 0 && offset <= 1)) throw new AugmentationSettingsError('offset', 'in 0..1', offset);
  if (!(scale >= 0 && scale < 1))
    throw new AugmentationSettingsError('scale', 'at least 0 and below 1', scale);
  if (!(noiseHu >= 0 && noiseHu < Infinity)) {
    throw new AugmentationSettingsError('noiseHu', 'a finite number of HU, at least 0', noiseHu);
  }
  return settings;
}
