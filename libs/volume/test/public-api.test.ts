import * as volume from '../src/index.ts';
import { expect, it } from 'vitest';

it('exports these names and no others', () => {
  expect(Object.keys(volume).sort()).toMatchInlineSnapshot(`
    [
      "AIR_HU",
      "BORDER_RULES",
      "BadChunkShapeError",
      "BadGeometryError",
      "BadImageError",
      "CHUNK_HU_RANGE",
      "CentreOutsideVolumeError",
      "HttpFiles",
      "IDENTITY_DIRECTION",
      "LocalFiles",
      "MissingImageError",
      "VOLUME_FILE_SUFFIXES",
      "VolumeError",
      "assertGeometry",
      "chunkWindow",
      "containsIrc",
      "continuousIrc",
      "cropChunk",
      "formatShape",
      "grownWindow",
      "importVolume",
      "importedSizeBytes",
      "inspectVolume",
      "irc",
      "ircToXyz",
      "isSameShape",
      "openVolume",
      "parseShape",
      "readChunk",
      "readGrownChunk",
      "readVolume",
      "roundHalfEven",
      "volumeNameOf",
      "voxelCount",
      "writeMetaImage",
      "xyzMm",
      "xyzToContinuousIrc",
      "xyzToIrc",
    ]
  `);
});
