import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from './errors.ts';

/** Fails with one sentence unless `folder` is a folder. */
export async function assertFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new CommandError(`Cannot read data set ${folder}: there is no such folder`);
  if (!found.isDirectory())
    throw new CommandError(`Cannot read data set ${folder}: it must be a folder, got a file`);
}

/** Fails with one sentence unless `folder` is a folder with a candidates.csv: before any process is started. */
export async function assertDataFolder(folder: string): Promise<void> {
  await assertFolder(folder);
  const list = join(folder, 'candidates.csv');
  if ((await stat(list).catch(() => undefined)) === undefined) {
    throw new CommandError(`Cannot read data set ${folder}: there is no ${list}`);
  }
}
