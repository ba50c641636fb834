/** A folder with a DICOM series, a file for each slice: its headers are read when it is opened, its slices when needed. */
import { irc, voxelCount, type Irc, type Shape } from '../coordinates.ts';
import { extractBox } from '../crop-chunk.ts';
import { BadImageError } from '../errors.ts';
import type { VolumeGeometry } from '../geometry.ts';
import { revisionOf, type ByteSource, type FileStore } from '../sources/byte-source.ts';
import type { VolumeReader } from '../volume.ts';
import { assertInside } from '../window.ts';
import { orderSlices, type OrderedSeries } from './order-slices.ts';
import { readSlice } from './read-slice.ts';
import { isDicomFile, readSliceHeader, type SliceHeader } from './slice-header.ts';

/** A series with the files that were opened. */
export interface DicomSeries extends OrderedSeries {
  readonly path: string;
  /** What the headers mean: geometry, and for each slice its place, pixel format and the length of its file. */
  readonly headerText: string;
  readonly filesSizeBytes: number;
}

const FILES_IN_FLIGHT = 8;
const DICOM_NAME = /\.(dcm|dicom|ima)$/i;
// Archives also name files by the uid of their slice.
const BARE_UID = /^[0-9.]+$/;

async function readHeader(
  path: string,
  files: FileStore,
  sources: ByteSource[],
): Promise<SliceHeader | undefined> {
  const source = await files.open(path);
  sources.push(source);
  if (await isDicomFile(source)) return readSliceHeader(source);
  // Folders of archives also hold licences and annotations.
  if (!DICOM_NAME.test(path)) return undefined;
  throw new BadImageError('a DICOM file must have DICM at byte 128, it is damaged or truncated', { path });
}

/**
 * Whether the folder at `location` looks like a DICOM series: a file in it says so by its name, or, as archives name files
 * without suffixes, the first one of those begins as DICOM files do.
 */
export async function holdsDicomFiles(location: string, files: FileStore): Promise<boolean> {
  const names = ((await files.list(location))?.files ?? []).filter((name) => !name.startsWith('.'));
  if (names.some((name) => DICOM_NAME.test(name))) return true;
  const bare = names.find((name) => !name.includes('.') || BARE_UID.test(name));
  if (bare === undefined) return false;
  const source = await files.open(files.inside(location, bare));
  try {
    return await isDicomFile(source);
  } finally {
    await source.close();
  }
}

function describe(series: OrderedSeries): string {
  const { shape, spacingXyzMm, direction } = series.geometry;
  const slices = series.slices.map(({ position, format, source }) => [position, format, source.sizeBytes]);
  return JSON.stringify([shape, spacingXyzMm, direction, slices]);
}

/**
 * Reads the headers of the DICOM files `names` in the folder at `path`. Hidden files and files that are not DICOM are
 * left out. What it opens is added to `sources`.
 * @throws BadImageError naming file and tag of what makes the files no volume.
 */
export async function locateDicomSeries(
  path: string,
  names: readonly string[],
  files: FileStore,
  sources: ByteSource[],
): Promise<DicomSeries> {
  const paths = names.filter((name) => !name.startsWith('.')).map((name) => files.inside(path, name));
  const headers: SliceHeader[] = [];
  for (let first = 0; first < paths.length; first += FILES_IN_FLIGHT) {
    const group = paths.slice(first, first + FILES_IN_FLIGHT);
    const found = await Promise.all(group.map((file) => readHeader(file, files, sources)));
    headers.push(...found.filter((header) => header !== undefined));
  }
  if (headers.length === 0) {
    throw new BadImageError('a folder must hold the files of a DICOM series, got none', { path });
  }
  const series = orderSlices(headers, path);
  const filesSizeBytes = series.slices.reduce((sum, { source }) => sum + source.sizeBytes, 0);
  return { ...series, path, headerText: describe(series), filesSizeBytes };
}

/** Unpacks the slices that a window touches. For many windows of one series import it first: see `importVolume`. */
export class DicomSeriesReader implements VolumeReader {
  readonly path: string;
  readonly geometry: VolumeGeometry;
  readonly revision: string;
  readonly residentBytes = 0;
  readonly #slices: readonly SliceHeader[];
  readonly #sources: readonly ByteSource[];

  constructor(series: DicomSeries, sources: readonly ByteSource[]) {
    this.path = series.path;
    this.geometry = series.geometry;
    this.revision = revisionOf(sources);
    this.#slices = series.slices;
    this.#sources = sources;
  }

  async readWindow(start: Irc, shape: Shape): Promise<Int16Array> {
    const whole = this.geometry.shape;
    assertInside(whole, start, shape);
    const voxelsHu = new Int16Array(voxelCount(shape));
    const sliceShape = { ...whole, depth: 1 };
    const windowSlice = { ...shape, depth: 1 };
    const readInto = async (slice: number): Promise<void> => {
      const header = this.#slices[start[0] + slice]!;
      const voxels = await readSlice(header);
      await header.source.verify();
      const part = extractBox({ voxels, shape: sliceShape }, irc(0, start[1], start[2]), windowSlice);
      voxelsHu.set(part, slice * voxelCount(windowSlice));
    };
    for (let first = 0; first < shape.depth; first += FILES_IN_FLIGHT) {
      const count = Math.min(FILES_IN_FLIGHT, shape.depth - first);
      await Promise.all(Array.from({ length: count }, (_, ahead) => readInto(first + ahead)));
    }
    return voxelsHu;
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }
}
