import { VOLUME_FILE_SUFFIXES } from '@lunastream/volume';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import {
  DuplicateSeriesError,
  MissingDatasetFileError,
  throwDatasetError,
  type OnDatasetError,
} from './errors.ts';

// LUNA16 spreads its scans over subset0..subset9.
const SUBSET_PREFIX = 'subset';

async function list(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const rule = code === 'ENOENT' ? 'the folder must exist' : `it must be a readable folder, got ${code}`;
    throw new MissingDatasetFileError(dir, rule, error);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Finds the scans of a LUNA16 folder: `<series uid>.mhd` or `.mha` in `subset*` folders and in `dir` itself. Returns the
 * path of each series uid, in the order of their uids. A uid is only ever the name of a file that was found, so no uid
 * of a table is made into a path. Hidden files are left out.
 * A uid that two files claim goes to `onError`, by default thrown as DuplicateSeriesError; when that returns, the
 * first in path order stays. @throws MissingDatasetFileError when `dir` cannot be listed.
 */
export async function findSeries(
  dir: string,
  onError: OnDatasetError = throwDatasetError,
): Promise<Map<string, string>> {
  const names = await list(dir);
  const paths = names.map((name) => join(dir, name));
  for (const name of names) {
    const folder = join(dir, name);
    if (!name.startsWith(SUBSET_PREFIX) || !(await isFolder(folder))) continue;
    paths.push(...(await list(folder)).map((file) => join(folder, file)));
  }
  return indexByUid(paths, onError);
}

function indexByUid(paths: readonly string[], onError: OnDatasetError): Map<string, string> {
  const found: [uid: string, path: string][] = [];
  for (const path of paths) {
    const suffix = extname(path);
    const uid = basename(path, suffix);
    if (VOLUME_FILE_SUFFIXES.includes(suffix) && !uid.startsWith('.')) found.push([uid, path]);
  }
  found.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  const pathOfUid = new Map<string, string>();
  for (const [uid, path] of found) {
    const earlier = pathOfUid.get(uid);
    if (earlier === undefined) pathOfUid.set(uid, path);
    else onError(new DuplicateSeriesError(uid, [earlier, path]));
  }
  return pathOfUid;
}
