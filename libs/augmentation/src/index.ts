export {
  CHAPTER_AUGMENTATION,
  NO_AUGMENTATION,
  compileAugmentationSettings,
  type AugmentationSettings,
} from './augmentation-settings.ts';
export { IDENTITY_MATRIX, isIdentity, toAffineMatrix, type AffineMatrix } from './affine-matrix.ts';
export { applyTransform } from './apply-transform.ts';
export {
  Augmenter,
  type AugmenterOptions,
  type SampleBuffer,
  type SampleReport,
  type SampleVoxelType,
  type SourceChunk,
} from './augmenter.ts';
export {
  AugmentationSettingsError,
  ChunkShapeError,
  ChunkTooLargeError,
  ChunkVoxelError,
  MixupError,
  SampleTransformError,
} from './errors.ts';
export { marginFor } from './margin.ts';
export { mixLabels, mixSamples } from './mixup.ts';
export { ArrivalMemory, ArrivingVoxels } from './arriving-voxels.ts';
export { VoxelInspector, type InspectedVoxels } from './voxel-inspector.ts';
export { sampleTransform, type PerAxis, type SampleKey, type SampleTransform } from './sample-transform.ts';
