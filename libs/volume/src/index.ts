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
export { AIR_HU, CHUNK_HU_RANGE, chunkWindow, cropChunk, type ChunkWindow } from './crop-chunk.ts';
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
export { grownWindow, readGrownChunk, type ChunkExtent } from './grown-chunk.ts';
export { roundHalfEven } from './round-half-even.ts';
export {
  inspectVolume,
  openVolume,
  readChunk,
  readVolume,
  VOLUME_FILE_SUFFIXES,
  type OpenVolumeOptions,
  type VolumeInspection,
} from './volume-reader.ts';
export type { Volume, VolumeReader } from './volume.ts';
export { writeMetaImage, type WriteMetaImageOptions } from './write-metaimage.ts';
