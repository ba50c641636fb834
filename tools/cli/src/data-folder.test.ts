import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { assertDataFolder } from './data-folder.ts';
import { ExitCode } from './errors.ts';

describe('assertDataFolder()', () => {
  it('accepts a folder with a candidates.csv', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'candidates.csv'), '');
      await expect(assertDataFolder(folder)).resolves.toBeUndefined();
    }));

  it('refuses with one sentence what is missing, a file, or empty', () =>
    withTemporaryFolder(async (folder) => {
      const file = join(folder, 'file');
      await writeFile(file, '');
      const refusals = [
        [join(folder, 'none'), `Cannot read data set ${folder}/none: there is no such folder`],
        [file, `Cannot read data set ${file}: it must be a folder, got a file`],
        [folder, `Cannot read data set ${folder}: there is no ${folder}/candidates.csv`],
      ] as const;
      for (const [path, message] of refusals) {
        await expect(assertDataFolder(path)).rejects.toMatchObject({ message, exitCode: ExitCode.badInput });
      }
    }));
});
