/**
 * Copies a scan of any format to a local file that can be read in windows: int16 HU, uncompressed, a header and a `.raw`.
 * The copy is a MetaImage that this library's own reader opens. Who calls owns the folder, its limit and what is removed.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { voxelCount } from './coordinates.ts';
import type { VolumeGeometry } from './geometry.ts';
import { openVolume, type OpenVolumeOptions } from './volume-reader.ts';
import type { VolumeReader } from './volume.ts';
import { slabsOf } from './window.ts';
import { metaImageHeaderText, replaceFile } from './metaimage/write-metaimage.ts';

/** Where a copy goes: `<folder>/<name>.mhd` and `<name>.raw`. The folder is made where it is missing. */
export interface ImportTarget {
  readonly folder: string;
  /** A name for files: no separators, not hidden. */
  readonly name: string;
}

export interface ImportedVolume {
  /** The header: what `openVolume` takes. */
  readonly path: string;
  readonly geometry: VolumeGeometry;
  /** What the copy takes on the disk. */
  readonly sizeBytes: number;
  /** Of the files that were copied: see `VolumeReader.revision`. */
  readonly revision: string;
}

export interface ImportVolumeOptions extends OpenVolumeOptions {
  /** Told each part of the copy's voxels in order, as it is written. Parts are whole slices. */
  readonly onVoxelBytes?: (bytes: Uint8Array) => void;
}

const FILE_NAME = /^[\w-][\w.-]{0,200}$/;

async function copyVoxels(
  reader: VolumeReader,
  path: string,
  onVoxelBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const { start, shape } of slabsOf(reader.geometry.shape)) {
      const { buffer, byteOffset, byteLength } = await reader.readWindow(start, shape);
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      await file.writeFile(bytes);
      onVoxelBytes(bytes);
    }
    // The header promises these bytes: they are on the disk before it is.
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Bytes that the copy of a scan of `geometry` takes, its header aside: for making room before `importVolume`. */
export function importedSizeBytes(geometry: VolumeGeometry): number {
  return voxelCount(geometry.shape) * Int16Array.BYTES_PER_ELEMENT;
}

/**
 * Copies the scan at `location` to `target`, slab by slab, so that memory stays flat. The copy appears whole or not at
 * all and replaces an earlier one; a process that is killed on the way leaves at most `.<name>.*.tmp`, which no reader opens. Two
 * imports of one name at a time do no harm.
 * @throws RangeError when the target's name is none, what `openVolume` and `readWindow` throw, and the file system's own
 * error when the disk is full or not writable.
 */
export async function importVolume(
  location: string,
  target: ImportTarget,
  options: ImportVolumeOptions = {},
): Promise<ImportedVolume> {
  const { folder, name } = target;
  if (!FILE_NAME.test(name)) {
    throw new RangeError(
      `Cannot import a scan: its name must be letters, digits, "-", "_" and ".", got ${name}`,
    );
  }
  const path = join(folder, `${name}.mhd`);
  const rawPath = join(folder, `${name}.raw`);
  const temporary = join(folder, `.${name}.${randomUUID()}.tmp`);
  const reader = await openVolume(location, options);
  try {
    await mkdir(folder, { recursive: true });
    await copyVoxels(reader, temporary, options.onVoxelBytes ?? (() => undefined));
    // An earlier copy's header must not describe these voxels, not for a moment.
    await rm(path, { force: true });
    await rename(temporary, rawPath);
    const header = metaImageHeaderText(reader.geometry, basename(rawPath));
    await replaceFile(path, header);
    const sizeBytes = importedSizeBytes(reader.geometry) + Buffer.byteLength(header);
    return { path, geometry: reader.geometry, sizeBytes, revision: reader.revision };
  } finally {
    await rm(temporary, { force: true });
    await reader.close();
  }
}
