import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { voxelCount } from '../coordinates.ts';
import { assertGeometry, directionToTransformMatrix, type VolumeGeometry } from '../geometry.ts';
import { HOST_IS_BIG_ENDIAN } from '../host-byte-order.ts';
import type { Volume } from '../volume.ts';

const HEADER_SUFFIX = '.mhd';
const deflateAsync = promisify(deflate);

export interface WriteMetaImageOptions {
  /** Write a zlib-compressed `.zraw`: smaller, but readers must inflate the whole scan for one chunk. Default false. */
  readonly compressed?: boolean;
}

/** The header of MET_SHORT voxels in the machine's byte order, which lie in `dataFile` beside it. */
export function metaImageHeaderText(
  geometry: VolumeGeometry,
  dataFile: string,
  compressedSizeBytes?: number,
): string {
  const { shape, originXyzMm, spacingXyzMm, direction } = geometry;
  const compression =
    compressedSizeBytes === undefined
      ? ['CompressedData = False']
      : ['CompressedData = True', `CompressedDataSize = ${compressedSizeBytes}`];
  return [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    `BinaryDataByteOrderMSB = ${HOST_IS_BIG_ENDIAN ? 'True' : 'False'}`,
    ...compression,
    `TransformMatrix = ${directionToTransformMatrix(direction).join(' ')}`,
    `Offset = ${originXyzMm.join(' ')}`,
    'CenterOfRotation = 0 0 0',
    `ElementSpacing = ${spacingXyzMm.join(' ')}`,
    `DimSize = ${shape.width} ${shape.height} ${shape.depth}`,
    'ElementType = MET_SHORT',
    // The format ends the header at this field: it stays last.
    `ElementDataFile = ${dataFile}`,
    '',
  ].join('\n');
}

/** Writes `path` whole or not at all. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Writes `volume` as MetaImage: `mhdPath` (must end in `.mhd`) and beside it `.raw`, or `.zraw` when compressed, with
 * voxels as MET_SHORT. Each file appears whole or not at all, and the header last, so a header that exists has its data.
 * An interrupted process leaves no half-written scan; a power cut may (nothing is synced to the disk).
 * Numbers are written so that reading gives the same doubles.
 * @throws RangeError when `mhdPath` or the number of voxels is wrong, BadGeometryError for an impossible geometry, and
 * the file system's own error.
 */
export async function writeMetaImage(
  mhdPath: string,
  volume: Volume,
  options: WriteMetaImageOptions = {},
): Promise<void> {
  if (!mhdPath.endsWith(HEADER_SUFFIX)) {
    throw new RangeError(`Cannot write MetaImage: the path must end in ${HEADER_SUFFIX}, got ${mhdPath}`);
  }
  assertGeometry(volume.geometry);
  const expected = voxelCount(volume.geometry.shape);
  if (volume.voxelsHu.length !== expected) {
    throw new RangeError(
      `Cannot write ${mhdPath}: its shape needs ${expected} voxels, got ${volume.voxelsHu.length}`,
    );
  }
  const { buffer, byteOffset, byteLength } = volume.voxelsHu;
  const voxelBytes = new Uint8Array(buffer, byteOffset, byteLength);
  const compressed = options.compressed ?? false;
  const dataPath = mhdPath.slice(0, -HEADER_SUFFIX.length) + (compressed ? '.zraw' : '.raw');
  const dataBytes = compressed ? await deflateAsync(voxelBytes) : voxelBytes;
  await replaceFile(dataPath, dataBytes);
  await replaceFile(
    mhdPath,
    metaImageHeaderText(volume.geometry, basename(dataPath), compressed ? dataBytes.byteLength : undefined),
  );
}
