import { extname } from 'node:path';
import { irc, type Irc, type Shape } from './coordinates.ts';
import { chunkWindow, completeChunk } from './crop-chunk.ts';
import { BadImageError } from './errors.ts';
import type { VolumeGeometry } from './geometry.ts';
import { locateMetaImage } from './locate-data.ts';
import type { MetaImageOptions } from './metaimage-header.ts';
import { openMetaImage } from './read-metaimage.ts';
import type { Volume, VolumeReader } from './volume.ts';

/** Endings of the files that `openVolume` reads. */
export const VOLUME_FILE_SUFFIXES: readonly string[] = ['.mhd', '.mha'];

export type OpenVolumeOptions = MetaImageOptions;

/** What a scan's files say without reading a voxel. */
export interface VolumeInspection {
  readonly geometry: VolumeGeometry;
  /** The header as stored, one character a byte. */
  readonly headerText: string;
  readonly dataPath: string;
  /** Length of the file at `dataPath`. */
  readonly dataFileSizeBytes: number;
}

function assertKnownSuffix(path: string): void {
  if (!VOLUME_FILE_SUFFIXES.includes(extname(path))) {
    throw new BadImageError(`the file's name must end in ${VOLUME_FILE_SUFFIXES.join(' or ')}`, { path });
  }
}

/**
 * Reads a scan's header and checks that its data have the length it says.
 * @throws BadImageError, MissingImageError.
 */
export async function inspectVolume(
  path: string,
  options: OpenVolumeOptions = {},
): Promise<VolumeInspection> {
  assertKnownSuffix(path);
  const { header, data } = await locateMetaImage(path, options);
  return {
    geometry: header.geometry,
    headerText: header.text,
    dataPath: data.path,
    dataFileSizeBytes: data.fileSizeBytes,
  };
}

/**
 * Opens a scan. Uncompressed data stay in the file and windows are read from it; compressed data are read whole, once.
 * The caller closes the reader.
 * @throws BadImageError when the file is wrong or of an unknown kind, MissingImageError when it cannot be opened.
 */
export async function openVolume(path: string, options: OpenVolumeOptions = {}): Promise<VolumeReader> {
  assertKnownSuffix(path);
  return openMetaImage(path, options);
}

/**
 * The chunk of `chunkShape` around voxel `centerIrc`: the same bytes as `cropChunk` of the whole volume, but only the
 * rows it needs are read. Throws as `chunkWindow` and `readWindow` do.
 */
export async function readChunk(
  reader: VolumeReader,
  centerIrc: Irc,
  chunkShape: Shape,
): Promise<Int16Array> {
  const window = chunkWindow(reader.geometry.shape, centerIrc, chunkShape);
  const inside = await reader.readWindow(window.insideStartIrc, window.insideShape);
  return completeChunk(window, inside);
}

/** Reads a whole scan. Throws as `openVolume` and `readWindow` do. */
export async function readVolume(path: string, options: OpenVolumeOptions = {}): Promise<Volume> {
  const reader = await openVolume(path, options);
  try {
    const { geometry } = reader;
    return { geometry, voxelsHu: await reader.readWindow(irc(0, 0, 0), geometry.shape) };
  } finally {
    await reader.close();
  }
}
