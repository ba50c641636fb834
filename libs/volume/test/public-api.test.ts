import * as volume from '../src/index.ts';
import { expect, it } from 'vitest';

it('exports these names and no others', () => {
  expect(Object.keys(volume).sort()).toMatchInlineSnapshot(`
    [
      "AIR_HU",
      "BadChunkShapeError",
      "BadGeometryError",
      "BadImageError",
      "CHUNK_HU_RANGE",
      "CentreOutsideVolumeError",
      "IDENTITY_DIRECTION",
      "MissingImageError",
      "VOLUME_FILE_SUFFIXES",
      "VolumeError",
      "assertGeometry",
      "chunkWindow",
      "containsIrc",
      "continuousIrc",
      "cropChunk",
      "formatShape",
      "inspectVolume",
      "irc",
      "ircToXyz",
      "isSameShape",
      "openVolume",
      "parseShape",
      "readChunk",
      "readVolume",
      "roundHalfEven",
      "voxelCount",
      "writeMetaImage",
      "xyzMm",
      "xyzToContinuousIrc",
      "xyzToIrc",
    ]
  `);
});
