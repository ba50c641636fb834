/**
 * Readers of stored voxels. Uncompressed data are read by position, row ranges only: a 32x48x48 chunk of a 512x512 scan
 * costs 32 reads of 48 kB, not 150 MB. Compressed data have no positions; they are inflated once and held.
 */
import { voxelCount, type Irc, type Shape } from './coordinates.ts';
import { extractBox } from './crop-chunk.ts';
import { decodeToInt16, elementSizeBytes, type NonFiniteVoxel } from './element-type.ts';
import { BadImageError } from './errors.ts';
import type { VolumeGeometry } from './geometry.ts';
import { inflateExactly } from './inflate.ts';
import { voxelsSizeBytes, type DataRange, type StoredVolume } from './stored-volume.ts';
import { revisionOf } from './sources/byte-source.ts';
import type { VolumeReader } from './volume.ts';
import { assertInside } from './window.ts';

// Keeps libuv's four file threads busy, and holds a few slices' bytes at most.
const READS_IN_FLIGHT = 8;
// Whole slices lie next to each other and are joined up to this size.
const JOINED_BYTES = 4_194_304;

function refuseNonFinite(path: string, firstElement: number): (voxel: NonFiniteVoxel) => never {
  return ({ offset, value }) => {
    throw new BadImageError(`voxels must be finite, got ${value} at element ${firstElement + offset}`, {
      path,
      part: 'data',
    });
  };
}

async function closeAll(volume: StoredVolume): Promise<void> {
  await Promise.all(volume.sources.map((source) => source.close()));
}

class PositionedReader implements VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  readonly revision: string;
  readonly residentBytes = 0;
  readonly #volume: StoredVolume;
  readonly #parts: readonly DataRange[];
  readonly #elementBytes: number;
  readonly #elementsOfPart: number;

  constructor(volume: StoredVolume, parts: readonly DataRange[]) {
    this.path = volume.path;
    this.geometry = volume.geometry;
    this.revision = revisionOf(volume.sources);
    this.#volume = volume;
    this.#parts = parts;
    this.#elementBytes = elementSizeBytes(volume.encoding.elementType);
    this.#elementsOfPart = voxelCount(volume.geometry.shape) / parts.length;
  }

  async readWindow(start: Irc, shape: Shape): Promise<Int16Array> {
    const whole = this.geometry.shape;
    assertInside(whole, start, shape);
    const voxelsHu = new Int16Array(voxelCount(shape));
    const sliceVoxels = shape.height * shape.width;
    const isJoinable =
      this.#parts.length === 1 && shape.height === whole.height && shape.width === whole.width;
    const joined = isJoinable
      ? Math.max(1, Math.floor(JOINED_BYTES / (sliceVoxels * this.#elementBytes)))
      : 1;
    const readSlices = async (first: number): Promise<void> => {
      const depth = Math.min(joined, shape.depth - first);
      const target = voxelsHu.subarray(first * sliceVoxels, (first + depth) * sliceVoxels);
      // Joined slices are rows without anything between them.
      const rows = { depth: 1, height: depth * shape.height, width: shape.width };
      await this.#readRows([start[0] + first, start[1], start[2]], rows, target);
    };
    const reads = Math.ceil(shape.depth / joined);
    for (let first = 0; first < reads; first += READS_IN_FLIGHT) {
      const count = Math.min(READS_IN_FLIGHT, reads - first);
      await Promise.all(Array.from({ length: count }, (_, ahead) => readSlices((first + ahead) * joined)));
    }
    await this.#verifyParts(start[0], start[0] + shape.depth);
    return voxelsHu;
  }

  close(): Promise<void> {
    return closeAll(this.#volume);
  }

  /** A file that was written to while it was read may have given voxels of both its contents. */
  async #verifyParts(firstSlice: number, endSlice: number): Promise<void> {
    const slicesOfPart = this.geometry.shape.depth / this.#parts.length;
    const first = Math.floor(firstSlice / slicesOfPart);
    const parts = this.#parts.slice(first, Math.ceil(endSlice / slicesOfPart));
    await Promise.all(parts.map(({ source }) => source.verify()));
  }

  /** One contiguous read from the first voxel to the last, then the rows without what lies between. */
  async #readRows(
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

  /** Elements counted over all parts. A part holds whole slices, so what lies in one slice lies in one part. */
  async #readElements(firstElement: number, count: number): Promise<Int16Array> {
    const part = Math.floor(firstElement / this.#elementsOfPart);
    const range = this.#parts[part];
    if (range === undefined) throw new RangeError(`internal: no part ${part} of ${this.#parts.length}`);
    const { source, offsetBytes } = range;
    const firstInPart = firstElement - part * this.#elementsOfPart;
    const position = offsetBytes + firstInPart * this.#elementBytes;
    const bytes = await source.read(position, count * this.#elementBytes);
    return decodeToInt16(bytes.buffer, this.#volume.encoding, refuseNonFinite(source.name, firstInPart));
  }
}

class InflatedReader implements VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  readonly revision: string;
  #voxelsHu: Int16Array;

  constructor({ path, geometry, sources }: StoredVolume, voxelsHu: Int16Array) {
    this.path = path;
    this.geometry = geometry;
    this.revision = revisionOf(sources);
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

/** A reader of `volume`, which it takes over: closing the one closes the other. */
export async function openStored(volume: StoredVolume): Promise<VolumeReader> {
  const { data } = volume;
  if (data.kind === 'plain') return new PositionedReader(volume, data.parts);
  const bytes = await inflateExactly(data.range, voxelsSizeBytes(volume), data.skippedBytes);
  const voxelsHu = decodeToInt16(bytes, volume.encoding, refuseNonFinite(data.range.source.name, 0));
  await data.range.source.verify();
  // Everything is in memory: files stay open no longer.
  await closeAll(volume);
  return new InflatedReader(volume, voxelsHu);
}
