export {
  continuousIrc,
  formatShape,
  irc,
  isSameShape,
  parseShape,
  voxelCount,
  xyzMm,
  type ContinuousIrc,
  type Irc,
  type Shape,
  type XyzMm,
} from './coordinates.ts';
export {
  AIR_HU,
  BORDER_RULES,
  CHUNK_HU_RANGE,
  chunkWindow,
  cropChunk,
  type BorderRule,
  type ChunkWindow,
} from './crop-chunk.ts';
export {
  BadChunkShapeError,
  BadGeometryError,
  BadImageError,
  CentreOutsideVolumeError,
  MissingImageError,
  VolumeError,
  type VolumeErrorKind,
} from './errors.ts';
export {
  assertGeometry,
  containsIrc,
  IDENTITY_DIRECTION,
  ircToXyz,
  xyzToContinuousIrc,
  xyzToIrc,
  type Matrix3,
  type VolumeGeometry,
} from './geometry.ts';
export {
  importedSizeBytes,
  importVolume,
  type ImportedVolume,
  type ImportTarget,
  type ImportVolumeOptions,
} from './import-volume.ts';
export { grownWindow, readGrownChunk, type ChunkExtent } from './grown-chunk.ts';
export { roundHalfEven } from './round-half-even.ts';
export type { ByteSource, FileStore, FolderListing } from './sources/byte-source.ts';
export { readBlocks } from './sources/byte-source.ts';
export { HttpFiles, type HttpFilesOptions } from './sources/http-files.ts';
export { LocalFiles, type LocalFilesOptions } from './sources/local-files.ts';
export { CountedFiles, type ReadCounts } from './sources/counted-files.ts';
export { PlaceFiles, type PlaceFilesOptions } from './sources/place-files.ts';
export { S3Files, type S3FilesOptions } from './sources/s3-files.ts';
export { holdsDicomFiles } from './dicom/dicom-series.ts';
export { VOLUME_FILE_SUFFIXES, volumeNameOf } from './volume-format.ts';
export {
  inspectVolume,
  openVolume,
  readChunk,
  readVolume,
  type OpenVolumeOptions,
  type VolumeInspection,
} from './volume-reader.ts';
export type { Volume, VolumeReader } from './volume.ts';
export { writeMetaImage, type WriteMetaImageOptions } from './metaimage/write-metaimage.ts';
