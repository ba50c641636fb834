/**
 * Readers of MetaImage voxels. Uncompressed data are read by position, row ranges only: a 32x48x48 chunk of a 512x512 scan
 * costs 32 reads of 48 kB, not 150 MB. Compressed data have no positions; they are inflated once and held.
 */
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createUnzip } from 'node:zlib';
import { voxelCount, type Irc, type Shape } from './coordinates.ts';
import { extractBox } from './crop-chunk.ts';
import { decodeToInt16, elementSizeBytes, type NonFiniteVoxel } from './element-type.ts';
import { BadImageError } from './errors.ts';
import type { VolumeGeometry } from './geometry.ts';
import { locateMetaImage, toFileError, type LocatedMetaImage } from './locate-data.ts';
import type { MetaImageOptions } from './metaimage-header.ts';
import type { VolumeReader } from './volume.ts';

// Keeps libuv's four file threads busy, and holds a few slices' bytes at most.
const SLICES_IN_FLIGHT = 8;

function assertInside(volumeShape: Shape, start: Irc, shape: Shape): void {
  const axes = [
    [start[0], shape.depth, volumeShape.depth],
    [start[1], shape.height, volumeShape.height],
    [start[2], shape.width, volumeShape.width],
  ] as const;
  for (const [first, extent, limit] of axes) {
    if (!Number.isSafeInteger(extent) || extent < 1 || first < 0 || first + extent > limit) {
      throw new RangeError(
        `Cannot read a window: on each axis it must lie in 0..size, got ${first}..${first + extent} of ${limit}`,
      );
    }
  }
}

function refuseNonFinite(path: string, firstElement: number): (voxel: NonFiniteVoxel) => never {
  return ({ offset, value }) => {
    throw new BadImageError(`voxels must be finite, got ${value} at element ${firstElement + offset}`, {
      path,
      part: 'data',
    });
  };
}

class PositionedReader implements VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  readonly residentBytes = 0;
  readonly #image: LocatedMetaImage;
  readonly #file: FileHandle;

  constructor(image: LocatedMetaImage, file: FileHandle) {
    this.path = image.header.path;
    this.geometry = image.header.geometry;
    this.#image = image;
    this.#file = file;
  }

  async readWindow(start: Irc, shape: Shape): Promise<Int16Array> {
    assertInside(this.geometry.shape, start, shape);
    const voxelsHu = new Int16Array(voxelCount(shape));
    const sliceVoxels = shape.height * shape.width;
    const readSlice = async (slice: number): Promise<void> => {
      const target = voxelsHu.subarray(slice * sliceVoxels, (slice + 1) * sliceVoxels);
      await this.#readSlice([start[0] + slice, start[1], start[2]], shape, target);
    };
    for (let first = 0; first < shape.depth; first += SLICES_IN_FLIGHT) {
      const count = Math.min(SLICES_IN_FLIGHT, shape.depth - first);
      await Promise.all(Array.from({ length: count }, (_, ahead) => readSlice(first + ahead)));
    }
    return voxelsHu;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** One contiguous read from the slice's first voxel of the window to its last, then the rows without what lies between. */
  async #readSlice(
    [index, row, column]: readonly [number, number, number],
    { height, width }: Shape,
    target: Int16Array,
  ): Promise<void> {
    const { shape } = this.geometry;
    const firstElement = (index * shape.height + row) * shape.width + column;
    const elements = await this.#readElements(firstElement, (height - 1) * shape.width + width);
    for (let line = 0; line < height; line++) {
      const offset = line * shape.width;
      target.set(elements.subarray(offset, offset + width), line * width);
    }
  }

  async #readElements(firstElement: number, count: number): Promise<Int16Array> {
    const { header, data } = this.#image;
    const sizeBytes = elementSizeBytes(header.encoding.elementType);
    const bytes = new Uint8Array(count * sizeBytes);
    const position = data.offsetBytes + firstElement * sizeBytes;
    for (let length = 0; length < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, length, bytes.length - length, position + length);
      if (bytesRead === 0) {
        const got = firstElement * sizeBytes + length;
        throw new BadImageError(
          `the data must have ${header.voxelsSizeBytes} bytes, got ${got}: the file was cut after it was opened`,
          { path: data.path, part: 'data' },
        );
      }
      length += bytesRead;
    }
    return decodeToInt16(bytes.buffer, header.encoding, refuseNonFinite(data.path, firstElement));
  }
}

class InflatedReader implements VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  #voxelsHu: Int16Array;

  constructor(image: LocatedMetaImage, voxelsHu: Int16Array) {
    this.path = image.header.path;
    this.geometry = image.header.geometry;
    this.#voxelsHu = voxelsHu;
  }

  get residentBytes(): number {
    return this.#voxelsHu.byteLength;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a wrong window must reject, as the other reader does
  async readWindow(start: Irc, shape: Shape): Promise<Int16Array> {
    if (this.#voxelsHu.length === 0)
      throw new Error(`Cannot read ${this.path}: the reader must be open, it is closed`);
    assertInside(this.geometry.shape, start, shape);
    return extractBox({ voxels: this.#voxelsHu, shape: this.geometry.shape }, start, shape);
  }

  close(): Promise<void> {
    this.#voxelsHu = new Int16Array(0);
    return Promise.resolve();
  }
}

/** Inflates zlib or gzip data into exactly the bytes that the header promises. */
async function inflate({ header, data }: LocatedMetaImage): Promise<ArrayBuffer> {
  const { path, offsetBytes, sizeBytes } = data;
  const bytes = new Uint8Array(header.voxelsSizeBytes);
  let length = 0;
  const fault = (got: string, cause?: unknown) =>
    new BadImageError(`compressed data must inflate to ${bytes.length} bytes, got ${got}`, {
      path,
      field: 'CompressedData',
      part: 'data',
      cause,
    });
  try {
    await pipeline(
      createReadStream(path, { start: offsetBytes, end: offsetBytes + sizeBytes - 1 }),
      createUnzip(),
      async (inflated: AsyncIterable<Buffer>) => {
        for await (const part of inflated) {
          if (length + part.length > bytes.length) throw fault('more');
          bytes.set(part, length);
          length += part.length;
        }
      },
    );
  } catch (error) {
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
    if (code?.startsWith('Z_') === true)
      throw fault(`${length} before damaged or truncated data (${code})`, error);
    throw toFileError(error, path);
  }
  if (length !== bytes.length) throw fault(String(length));
  return bytes.buffer;
}

/** Opens a `.mhd` or `.mha`; see `openVolume`. */
export async function openMetaImage(path: string, options: MetaImageOptions = {}): Promise<VolumeReader> {
  const image = await locateMetaImage(path, options);
  if (image.header.isCompressed) {
    const bytes = await inflate(image);
    const { encoding } = image.header;
    return new InflatedReader(image, decodeToInt16(bytes, encoding, refuseNonFinite(image.data.path, 0)));
  }
  const file = await open(image.data.path).catch((error: unknown) => {
    throw toFileError(error, image.data.path);
  });
  return new PositionedReader(image, file);
}
