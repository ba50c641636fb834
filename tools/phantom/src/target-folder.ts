/** The output folder: appears whole or not at all, and is never overwritten. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { PhantomTargetError } from './errors.ts';
import { MANIFEST_FILE, PHANTOM_VERSION, type PhantomManifest } from './phantom-manifest.ts';
import type { PhantomSettings } from './settings.ts';

const BYTES_PER_VOXEL = 2;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function entriesOf(outDir: string): Promise<string[]> {
  try {
    return await readdir(outDir);
  } catch (error) {
    if (isMissing(error)) return [];
    throw new PhantomTargetError(outDir, 'it must be a folder that can be read', { cause: error });
  }
}

async function readManifest(outDir: string): Promise<PhantomManifest> {
  try {
    return JSON.parse(await readFile(join(outDir, MANIFEST_FILE), 'utf8')) as PhantomManifest;
  } catch (error) {
    throw new PhantomTargetError(outDir, `${MANIFEST_FILE} in it must be readable JSON`, { cause: error });
  }
}

/** The path of the first file of the data set that is missing or has the wrong length. */
async function findDamage(outDir: string, manifest: PhantomManifest): Promise<string | undefined> {
  const { shape } = manifest.settings;
  const sizeBytes =
    shape === undefined ? undefined : shape.depth * shape.height * shape.width * BYTES_PER_VOXEL;
  for (const name of ['annotations.csv', 'candidates.csv', 'patients.csv']) {
    if (!(await hasSize(join(outDir, name), undefined))) return name;
  }
  for (const { seriesUid } of manifest.series) {
    const header = join('subset0', `${seriesUid}.mhd`);
    const data = join('subset0', `${seriesUid}.raw`);
    if (!(await hasSize(join(outDir, header), undefined))) return header;
    if (!(await hasSize(join(outDir, data), sizeBytes))) return data;
  }
  return undefined;
}

/** Is `path` a file of `sizeBytes`, or of any size but 0 when that is undefined? */
async function hasSize(path: string, sizeBytes: number | undefined): Promise<boolean> {
  try {
    const { size } = await stat(path);
    return sizeBytes === undefined ? size > 0 : size === sizeBytes;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * The manifest of the data set that `outDir` already holds, if it was made from `settings` by this version; undefined
 * when `outDir` is empty or absent.
 * @throws PhantomTargetError when it holds anything else, or when files of the data set are gone.
 */
export async function findExisting(
  outDir: string,
  settings: PhantomSettings,
): Promise<PhantomManifest | undefined> {
  const entries = await entriesOf(outDir);
  if (entries.length === 0) return undefined;
  if (!entries.includes(MANIFEST_FILE)) {
    throw new PhantomTargetError(outDir, `the folder must be empty or absent, got ${entries.length} entries`);
  }
  const manifest = await readManifest(outDir);
  if (manifest.version !== PHANTOM_VERSION || !isDeepStrictEqual(manifest.settings, settings)) {
    const found = JSON.stringify({ version: manifest.version, ...manifest.settings });
    throw new PhantomTargetError(
      outDir,
      `it must be absent, empty or made from the same settings, got ${found}`,
    );
  }
  const damaged = await findDamage(outDir, manifest);
  if (damaged !== undefined) {
    throw new PhantomTargetError(
      outDir,
      `the data set in it must be complete, but ${damaged} is damaged or gone`,
    );
  }
  return manifest;
}

/**
 * Lets `write` fill a new folder beside `outDir` and then gives it that name. When `write` throws, the new folder is
 * removed and `outDir` stays as it was.
 */
export async function writeWhole<Result>(
  outDir: string,
  write: (folder: string) => Promise<Result>,
): Promise<Result> {
  const target = resolve(outDir);
  await mkdir(dirname(target), { recursive: true });
  // Not mkdtemp: that makes folders only their owner can read.
  const folder = join(dirname(target), `.${basename(target)}.partial-${randomUUID()}`);
  await mkdir(folder);
  try {
    const result = await write(folder);
    // An empty folder may stand there; renaming onto it works on some systems only.
    await rmdir(target).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await rename(folder, target);
    return result;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
