import {
  holdsDicomFiles,
  LocalFiles,
  MissingImageError,
  volumeNameOf,
  type FileStore,
  type FolderListing,
} from '@lunastream/volume';
import {
  DuplicateSeriesError,
  MissingDatasetFileError,
  throwDatasetError,
  type OnDatasetError,
} from './errors.ts';
import { readSeriesList } from './read-series-list.ts';

// LUNA16 spreads its scans over subset0..subset9.
const SUBSET_PREFIX = 'subset';
/** Lists the scans of a data set by uid and place; needed where folders cannot be listed. */
export const SERIES_LIST = 'series.csv';

/** A scan's uid and where it lies. */
type FoundSeries = readonly [uid: string, location: string];

function toFolderError(error: unknown, name: string): unknown {
  if (!(error instanceof MissingImageError)) return error;
  const rule = error.isAbsent ? 'the folder must exist' : `it must be a readable folder, got ${error.rule}`;
  return new MissingDatasetFileError(name, rule, error);
}

/** The scans in a folder: files of known formats, and folders of DICOM files. */
async function findInFolder(dir: string, files: FileStore): Promise<FoundSeries[]> {
  const listing = await files.list(dir);
  if (listing === undefined) return [];
  const found: FoundSeries[] = [];
  for (const name of listing.files) {
    const uid = name.startsWith('.') ? undefined : volumeNameOf(name);
    if (uid !== undefined && uid !== '') found.push([uid, files.inside(dir, name)]);
  }
  for (const name of listing.folders) {
    if (name.startsWith('.') || name.startsWith(SUBSET_PREFIX)) continue;
    const location = files.inside(dir, name);
    if (await holdsDicomFiles(location, files)) found.push([name, location]);
  }
  return found;
}

/** What the folder at `dir` holds; undefined where its place cannot list. */
async function listDataset(dir: string, files: FileStore): Promise<FolderListing | undefined> {
  try {
    return await files.list(dir);
  } catch (error) {
    throw toFolderError(error, files.nameOf(dir));
  }
}

async function findByListing(
  dir: string,
  { folders }: FolderListing,
  files: FileStore,
): Promise<FoundSeries[]> {
  const subsets = folders.filter((name) => name.startsWith(SUBSET_PREFIX));
  const places = [dir, ...subsets.map((name) => files.inside(dir, name))];
  try {
    return (await Promise.all(places.map((place) => findInFolder(place, files)))).flat();
  } catch (error) {
    throw toFolderError(error, files.nameOf(dir));
  }
}

/**
 * Finds the scans of a LUNA16 folder, in it and in its `subset*` folders: files `<series uid>.mhd` or of any other format
 * that is read, and folders `<series uid>` of DICOM files. Where there is a series.csv (columns seriesuid, path), it
 * says which scans there are instead, as it must on servers that list no folders. Returns the location of each series
 * uid, in the order of their uids. A uid is only ever the name of a file that was found or listed, so no uid of another
 * table is made into a path. Hidden files are left out.
 * A uid that two files claim goes to `onError`, by default thrown as DuplicateSeriesError; when that returns, the
 * first in path order stays. @throws MissingDatasetFileError when `dir` cannot be listed.
 */
export async function findSeries(
  dir: string,
  onError: OnDatasetError = throwDatasetError,
  files: FileStore = new LocalFiles(),
): Promise<Map<string, string>> {
  const listing = await listDataset(dir, files);
  if (listing !== undefined && !listing.files.includes(SERIES_LIST)) {
    return indexByUid(await findByListing(dir, listing, files), onError, files);
  }
  const listed = await readSeriesList(files.inside(dir, SERIES_LIST), onError, files);
  if (listed === undefined) {
    const rule = `it must be a folder that can be listed, or have a ${SERIES_LIST} that lists its scans`;
    throw new MissingDatasetFileError(files.nameOf(dir), rule);
  }
  const found = listed.map(([uid, path]): FoundSeries => [uid, files.inside(dir, path)]);
  return indexByUid(found, onError, files);
}

function indexByUid(
  found: readonly FoundSeries[],
  onError: OnDatasetError,
  files: FileStore,
): Map<string, string> {
  const inOrder = [...found].sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  const locationOfUid = new Map<string, string>();
  for (const [uid, location] of inOrder) {
    const earlier = locationOfUid.get(uid);
    if (earlier === undefined) locationOfUid.set(uid, location);
    else onError(new DuplicateSeriesError(uid, [files.nameOf(earlier), files.nameOf(location)]));
  }
  return locationOfUid;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
