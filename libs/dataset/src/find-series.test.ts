import { withTemporaryFolder } from '@lunastream/testing';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DatasetError } from './errors.ts';
import { findSeries } from './find-series.ts';

async function withFiles(files: readonly string[], use: (folder: string) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    for (const file of files) {
      await mkdir(join(folder, file, '..'), { recursive: true });
      await writeFile(join(folder, file), '');
    }
    await use(folder);
  });
}

describe('findSeries()', () => {
  it('finds .mhd and .mha in subset folders and in the folder itself, in the order of their uids', async () => {
    const files = [
      'subset9/1.2.9.mhd',
      'subset9/1.2.9.raw',
      'subset0/1.2.10.mha',
      '1.2.3.mhd',
      'subset0/.hidden.mhd',
      'subset0/._1.2.4.mhd',
      'subset0/deeper/1.2.5.mhd',
      'seg-lungs/1.2.3.mhd',
      'candidates.csv',
    ];
    await withFiles(files, async (folder) => {
      expect([...(await findSeries(folder))]).toEqual([
        ['1.2.10', join(folder, 'subset0/1.2.10.mha')],
        ['1.2.3', join(folder, '1.2.3.mhd')],
        ['1.2.9', join(folder, 'subset9/1.2.9.mhd')],
      ]);
    });
  });

  it('follows a link to a subset folder', async () => {
    await withFiles(['elsewhere/a.mhd'], async (folder) => {
      await symlink(join(folder, 'elsewhere'), join(folder, 'subset0'));
      expect([...(await findSeries(folder)).keys()]).toEqual(['a']);
    });
  });

  it('refuses a uid that two files claim and names both; goes on with the first when its caller does', async () => {
    await withFiles(['subset0/a.mhd', 'subset1/a.mhd', 'subset1/b.mha', 'b.mhd'], async (folder) => {
      const [first, second] = [join(folder, 'subset0/a.mhd'), join(folder, 'subset1/a.mhd')];
      await expect(findSeries(folder)).rejects.toThrow(
        `Cannot use series a: it must be one file, got ${first} and ${second}`,
      );
      const faults: DatasetError[] = [];
      const found = await findSeries(folder, (error) => faults.push(error));
      expect(found.get('a')).toBe(first);
      expect(faults).toMatchObject([{ seriesUid: 'a' }, { seriesUid: 'b' }]);
    });
  });

  it('names a folder that is missing or is a file', async () => {
    await expect(findSeries('/nowhere')).rejects.toThrow('Cannot read /nowhere: the folder must exist');
    await withFiles(['file'], async (folder) => {
      await expect(findSeries(join(folder, 'file'))).rejects.toThrow(
        'it must be a folder that can be listed, or have a series.csv',
      );
    });
  });
});
