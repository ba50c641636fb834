export {
  CHAPTER_AUGMENTATION,
  NO_AUGMENTATION,
  compileAugmentationSettings,
  type AugmentationSettings,
} from './augmentation-settings.ts';
export { IDENTITY_MATRIX, isIdentity, toAffineMatrix, type AffineMatrix } from './affine-matrix.ts';
export { applyTransform } from './apply-transform.ts';
export { AugmentationSettingsError, ChunkShapeError } from './errors.ts';
export { resample } from './resample.ts';
export { sampleTransform, type PerAxis, type SampleKey, type SampleTransform } from './sample-transform.ts';
