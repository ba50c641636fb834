/**
 * Wire types of every service, generated from proto/ by `npm run gen`. Import them here and nowhere deeper: the names
 * are flat, since no two of our messages share one.
 */
export * from './generated/lunastream/volume/v1/volume.ts';
export * from './generated/lunastream/dataset/v1/dataset_service.ts';
export * from './generated/lunastream/chunk/v1/chunk_service.ts';
export * from './generated/lunastream/augment/v1/augmentation_service.ts';
export * from './generated/lunastream/train/v1/training_service.ts';
export {
  AugmentationServiceClient,
  AugmentationServiceService,
  ChunkServiceClient,
  ChunkServiceService,
  createSampleReader,
  type SampleReader,
  type SampleSink,
} from './tensor-services.ts';
export { VOXELS_HEADROOM_BYTES, voxelsAfterHeadroom } from './tensor-codec.ts';
export { copySampleVoxels, sampleBytes } from './sample-voxels.ts';
export { descriptorSetPath } from './descriptor-set.ts';
