import { irc, type Irc, type Shape } from './coordinates.ts';
import { chunkWindow, completeChunk, type BorderRule } from './crop-chunk.ts';
import { DicomSeriesReader, locateDicomSeries, type DicomSeries } from './dicom/dicom-series.ts';
import { BadImageError } from './errors.ts';
import type { VolumeGeometry } from './geometry.ts';
import { locateMetaImage } from './metaimage/locate-metaimage.ts';
import { locateNifti } from './nifti/locate-nifti.ts';
import { locateNrrd } from './nrrd/locate-nrrd.ts';
import type { MetaImageOptions } from './metaimage/metaimage-header.ts';
import { openStored } from './read-stored.ts';
import { revisionOf, type ByteSource, type FileStore } from './sources/byte-source.ts';
import { LocalFiles } from './sources/local-files.ts';
import type { StoredVolume } from './stored-volume.ts';
import { formatOfName, VOLUME_FILE_SUFFIXES, type FileFormat } from './volume-format.ts';
import type { Volume, VolumeReader } from './volume.ts';

export interface OpenVolumeOptions extends MetaImageOptions {
  /** Where the scan lies; default the files of this machine. Share one `LocalFiles` to bound its open files over scans. */
  readonly files?: FileStore;
}

/** What a scan's files say without reading a voxel. */
export interface VolumeInspection {
  readonly geometry: VolumeGeometry;
  /**
   * Identifies the header: a MetaImage's as stored, one character a byte; for formats whose headers may name the patient
   * what this library uses of them.
   */
  readonly headerText: string;
  /** The file with the voxels, the first one of several; the folder of a DICOM series. */
  readonly dataPath: string;
  /** Length of the files that hold the voxels, headers in them included. */
  readonly dataFileSizeBytes: number;
  /** Tells the files' content from any other they had or will have, as `ByteSource.revision` does. */
  readonly revision: string;
  /**
   * Windows are read from the files as they are. Where they are not, a reader inflates or unpacks: for many chunks of
   * such a scan `importVolume` it once.
   */
  readonly isWindowed: boolean;
}

type Located =
  | { readonly kind: 'file'; readonly volume: StoredVolume }
  | { readonly kind: 'series'; readonly series: DicomSeries };

const LOCATE: Readonly<
  Record<
    FileFormat,
    (
      path: string,
      files: FileStore,
      sources: ByteSource[],
      options: MetaImageOptions,
    ) => Promise<StoredVolume>
  >
> = { metaimage: locateMetaImage, nrrd: locateNrrd, nifti: locateNifti };

/** The part of a location that names the file: an address may go on with a query. */
function nameOf(location: string): string {
  return URL.canParse(location) && location.includes('://') ? new URL(location).pathname : location;
}

async function locateIn(
  location: string,
  files: FileStore,
  sources: ByteSource[],
  options: MetaImageOptions,
): Promise<Located> {
  const known = formatOfName(nameOf(location));
  if (known !== undefined) {
    return { kind: 'file', volume: await LOCATE[known.format](location, files, sources, options) };
  }
  const listing = await files.list(location);
  if (listing === undefined) {
    throw new BadImageError(
      `the file's name must end in ${VOLUME_FILE_SUFFIXES.join(', ')}, or it must be the folder of a DICOM series`,
      { path: location },
    );
  }
  return { kind: 'series', series: await locateDicomSeries(location, listing.files, files, sources) };
}

async function closeAll(sources: readonly ByteSource[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

/** Finds a scan's data and hands them to `use`, which takes over what was opened, unless it throws. */
async function withLocated<Result>(
  location: string,
  options: OpenVolumeOptions,
  use: (located: Located, sources: readonly ByteSource[]) => Promise<Result> | Result,
): Promise<Result> {
  const sources: ByteSource[] = [];
  try {
    const located = await locateIn(location, options.files ?? new LocalFiles(), sources, options);
    return await use(located, sources);
  } catch (error) {
    await closeAll(sources);
    throw error;
  }
}

function inspectFile({ geometry, headerText, data, sources }: StoredVolume): VolumeInspection {
  const ranges = data.kind === 'plain' ? data.parts : [data.range];
  return {
    geometry,
    headerText,
    dataPath: ranges[0]?.source.name ?? '',
    dataFileSizeBytes: ranges.reduce((sum, { source }) => sum + source.sizeBytes, 0),
    revision: revisionOf(sources),
    isWindowed: data.kind === 'plain',
  };
}

/**
 * Reads the header of the scan at `location`, a file or the folder of a DICOM series, and checks that its data have the
 * length it says. @throws BadImageError, MissingImageError.
 */
export async function inspectVolume(
  location: string,
  options: OpenVolumeOptions = {},
): Promise<VolumeInspection> {
  return withLocated(location, options, async (located, sources) => {
    await closeAll(sources);
    if (located.kind === 'file') return inspectFile(located.volume);
    const { geometry, headerText, path, filesSizeBytes } = located.series;
    return {
      geometry,
      headerText,
      dataPath: path,
      dataFileSizeBytes: filesSizeBytes,
      revision: revisionOf(sources),
      isWindowed: false,
    };
  });
}

/**
 * Opens the scan at `location`, a file or the folder of a DICOM series. Uncompressed data stay in the file and windows
 * are read from it; a compressed file is read whole, once; slices of a DICOM series are unpacked when a window needs
 * them. The caller closes the reader.
 * @throws BadImageError when the file is wrong or of an unknown kind, MissingImageError when it cannot be opened.
 */
export async function openVolume(location: string, options: OpenVolumeOptions = {}): Promise<VolumeReader> {
  return withLocated(location, options, (located, sources) =>
    located.kind === 'file' ? openStored(located.volume) : new DicomSeriesReader(located.series, sources),
  );
}

/**
 * The chunk of `chunkShape` around voxel `centerIrc`: the same bytes as `cropChunk` of the whole volume, but only the
 * rows it needs are read. Throws as `chunkWindow` and `readWindow` do.
 */
export async function readChunk(
  reader: VolumeReader,
  centerIrc: Irc,
  chunkShape: Shape,
  border: BorderRule = 'shift',
): Promise<Int16Array> {
  const window = chunkWindow(reader.geometry.shape, centerIrc, chunkShape, border);
  const inside = await reader.readWindow(window.insideStartIrc, window.insideShape);
  return completeChunk(window, inside);
}

/** Reads a whole scan. Throws as `openVolume` and `readWindow` do. */
export async function readVolume(location: string, options: OpenVolumeOptions = {}): Promise<Volume> {
  const reader = await openVolume(location, options);
  try {
    const { geometry } = reader;
    return { geometry, voxelsHu: await reader.readWindow(irc(0, 0, 0), geometry.shape) };
  } finally {
    await reader.close();
  }
}
