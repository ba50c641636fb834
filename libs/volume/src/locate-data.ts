/**
 * Finds the data of a MetaImage and checks their length against the header, before anything of that length is allocated:
 * a header may claim any size.
 */
import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatShape } from './coordinates.ts';
import { BadImageError, MissingImageError } from './errors.ts';
import { parseMetaImageHeader, type MetaImageHeader, type MetaImageOptions } from './metaimage-header.ts';

/** A header with the place of its data: every byte range in it exists. */
export interface LocatedMetaImage {
  readonly header: MetaImageHeader;
  readonly data: {
    readonly path: string;
    readonly offsetBytes: number;
    /** Stored length: of the voxels, or of their compressed form. */
    readonly sizeBytes: number;
    /** Length of the whole file at `path`. */
    readonly fileSizeBytes: number;
  };
}

// Real headers have less than 1 kB; DICOM fields copied into one make a few. Beyond this the file is something else.
const LONGEST_HEADER_BYTES = 65_536;
// Deflate expands at most 1032-fold (zlib's technical details, "Maximum Compression Factor").
const LARGEST_INFLATION = 1032;

/** An error of the file system as one that says what to do; anything else unchanged. */
export function toFileError(error: unknown, path: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  if (code === 'ENOENT') return new MissingImageError('no such file', { path, cause: error });
  return new MissingImageError(`the system answered ${code}`, { path, cause: error });
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(LONGEST_HEADER_BYTES);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

async function fileSizeBytes(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isFile()) throw new MissingImageError('it must be a file', { path });
  return found.size;
}

function expectation(header: MetaImageHeader): string {
  const size = formatShape(header.geometry.shape);
  return `${size} voxels of ${header.encoding.elementType} need ${header.voxelsSizeBytes} bytes`;
}

function locateVoxels(header: MetaImageHeader, path: string, fileSize: number): LocatedMetaImage['data'] {
  const start = Math.max(header.skippedBytes, header.dataFile === undefined ? header.sizeBytes : 0);
  const available = fileSize - start;
  const isLengthRight =
    header.skippedBytes === -1 ? available >= header.voxelsSizeBytes : available === header.voxelsSizeBytes;
  if (!isLengthRight) {
    const advice =
      available < header.voxelsSizeBytes
        ? 'the data are truncated, or DimSize (width height depth) or ElementType is wrong'
        : 'DimSize (width height depth), ElementType or HeaderSize is wrong';
    throw new BadImageError(`${expectation(header)}, got ${Math.max(0, available)}: ${advice}`, {
      path,
      field: 'DimSize',
      part: 'data',
    });
  }
  return {
    path,
    offsetBytes: fileSize - header.voxelsSizeBytes,
    sizeBytes: header.voxelsSizeBytes,
    fileSizeBytes: fileSize,
  };
}

function locateCompressed(header: MetaImageHeader, path: string, fileSize: number): LocatedMetaImage['data'] {
  const offsetBytes = Math.max(header.skippedBytes, header.dataFile === undefined ? header.sizeBytes : 0);
  const available = Math.max(0, fileSize - offsetBytes);
  const sizeBytes = header.compressedSizeBytes ?? available;
  if (sizeBytes > available) {
    throw new BadImageError(
      `CompressedDataSize says ${sizeBytes} bytes, got ${available}: the data are truncated`,
      { path, field: 'CompressedDataSize', part: 'data' },
    );
  }
  if (header.voxelsSizeBytes > sizeBytes * LARGEST_INFLATION) {
    throw new BadImageError(
      `${expectation(header)}, and ${sizeBytes} compressed bytes cannot hold so many: DimSize is wrong`,
      { path, field: 'DimSize', part: 'data' },
    );
  }
  return { path, offsetBytes, sizeBytes, fileSizeBytes: fileSize };
}

/**
 * Reads the header at `path` and finds its data, reading none of them.
 * @throws BadImageError when the header is wrong or the data do not have the length it says.
 * @throws MissingImageError when the header or its data file cannot be opened.
 */
export async function locateMetaImage(
  path: string,
  options: MetaImageOptions = {},
): Promise<LocatedMetaImage> {
  const start = await readStart(path).catch((error: unknown) => {
    throw toFileError(error, path);
  });
  const header = parseMetaImageHeader(start, path, options);
  const dataPath = header.dataFile === undefined ? path : join(dirname(path), header.dataFile);
  const fileSize = await fileSizeBytes(dataPath).catch((error: unknown) => {
    throw toFileError(error, dataPath);
  });
  const locate = header.isCompressed ? locateCompressed : locateVoxels;
  return { header, data: locate(header, dataPath, fileSize) };
}
