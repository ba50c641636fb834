export { ChunkCutter, type ChunkCutterParts } from './chunk-cutter.ts';
export {
  openChunkSource,
  type ChunkSource,
  type ChunkSourceEvents,
  type ChunkSourceSettings,
  type ChunkSourceStats,
} from './chunk-source.ts';
export {
  DatasetCatalog,
  type DatasetCatalogOptions,
  type DatasetLocation,
  type OnDatasetRead,
} from './dataset-catalog.ts';
export {
  ChunkFaultError,
  CorruptCopyError,
  DatasetFaultError,
  SeriesChangedError,
  type ChunkFault,
  type DatasetFault,
} from './errors.ts';
export { SeriesWatch, type SeriesWatchOptions } from './series-watch.ts';
export {
  clearCopies,
  countCopies,
  VolumeCopies,
  verifyCopies,
  type CheckedCopies,
  type VolumeCopiesOptions,
  type VolumeCopiesStats,
} from './volume-copies.ts';
export { VolumePool, type OpenSeries, type VolumePoolOptions } from './volume-pool.ts';
export { warmChunks, type WarmOptions, type WarmReport } from './warm-chunks.ts';
