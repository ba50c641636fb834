export { ChunkCutter } from './chunk-cutter.ts';
export {
  openChunkSource,
  type ChunkSource,
  type ChunkSourceEvents,
  type ChunkSourceSettings,
  type ChunkSourceStats,
} from './chunk-source.ts';
export { DatasetCatalog, type DatasetLocation, type OnDatasetRead } from './dataset-catalog.ts';
export { ChunkFaultError, DatasetFaultError, type ChunkFault, type DatasetFault } from './errors.ts';
export { VolumePool } from './volume-pool.ts';
