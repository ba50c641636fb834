import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from './errors.ts';

/** Whether a data set lies on a web server or in a bucket; whoever reads it says what is wrong with it. */
export function isAddress(folder: string): boolean {
  return /^(https?|s3):\/\//i.test(folder);
}

/** Fails with one sentence unless `folder` is a folder, or an address. */
export async function assertFolder(folder: string): Promise<void> {
  if (isAddress(folder)) return;
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new CommandError(`Cannot read data set ${folder}: there is no such folder`);
  if (!found.isDirectory())
    throw new CommandError(`Cannot read data set ${folder}: it must be a folder, got a file`);
}

/** Fails with one sentence unless `folder` is a folder with a candidates.csv: before any process is started. */
export async function assertDataFolder(folder: string): Promise<void> {
  await assertFolder(folder);
  if (isAddress(folder)) return;
  const list = join(folder, 'candidates.csv');
  if ((await stat(list).catch(() => undefined)) === undefined) {
    throw new CommandError(`Cannot read data set ${folder}: there is no ${list}`);
  }
}
