import { withTemporaryFolder } from '@lunastream/testing';
import { mkdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BadImageError, MissingImageError } from '../errors.ts';
import { readBlocks, readStart } from './byte-source.ts';
import { LocalFiles } from './local-files.ts';

const CONTENT = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

describe('LocalFiles', () => {
  it('reads ranges, each a new array alone in its buffer', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'a'), CONTENT);
      const source = await new LocalFiles().open(join(folder, 'a'));
      expect(source.sizeBytes).toBe(1000);
      const bytes = await source.read(17, 300);
      expect(bytes).toEqual(CONTENT.slice(17, 317));
      expect(bytes.buffer.byteLength).toBe(300);
      expect(await source.read(1000, 0)).toEqual(new Uint8Array(0));
      expect(await readStart(source, 5000)).toEqual(CONTENT);
      for (const [offset, length] of [
        [999, 2],
        [-1, 2],
        [0.5, 1],
        [0, Number.NaN],
      ] as const) {
        await expect(source.read(offset, length)).rejects.toThrow(RangeError);
      }
      await source.close();
      await expect(source.read(0, 1)).rejects.toThrow('it is closed');
    });
  });

  it('gives a large range in blocks that join to it', async () => {
    await withTemporaryFolder(async (folder) => {
      const large = Buffer.alloc(2_500_000, 'abcdefg');
      await writeFile(join(folder, 'a'), large);
      const source = await new LocalFiles().open(join(folder, 'a'));
      const blocks: Uint8Array[] = [];
      for await (const block of readBlocks(source, 3, 2_400_000)) blocks.push(block);
      expect(blocks.length).toBe(3);
      expect(Buffer.concat(blocks).equals(large.subarray(3, 2_400_003))).toBe(true);
      await source.close();
    });
  });

  it('keeps no more handles than it may, and opens files again', async () => {
    await withTemporaryFolder(async (folder) => {
      const files = new LocalFiles({ maxOpenFiles: 2 });
      const sources = [];
      for (let number = 0; number < 6; number++) {
        await writeFile(join(folder, String(number)), CONTENT.slice(number));
        sources.push(await files.open(join(folder, String(number))));
      }
      expect(files.openFiles).toBe(2);
      const starts = await Promise.all(sources.map(async (source) => (await source.read(0, 1))[0]));
      expect(starts).toEqual([0, 1, 2, 3, 4, 5]);
      expect(files.openFiles).toBeLessThanOrEqual(2);
      await Promise.all(sources.map((source) => source.close()));
      expect(files.openFiles).toBe(0);
    });
  });

  it('notices a file that took the place of another while its handle was closed', async () => {
    await withTemporaryFolder(async (folder) => {
      const files = new LocalFiles({ maxOpenFiles: 0 });
      await writeFile(join(folder, 'a'), CONTENT);
      const source = await files.open(join(folder, 'a'));
      await source.read(0, 1);
      await writeFile(join(folder, 'b'), CONTENT);
      await rename(join(folder, 'b'), join(folder, 'a'));
      await expect(source.read(0, 1)).rejects.toThrow(BadImageError);
      await rm(join(folder, 'a'));
      await expect(source.read(0, 1)).rejects.toThrow(MissingImageError);
    });
  });

  it('reads on in a file that was replaced while it is open, and notices one that was cut', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'a'), CONTENT);
      const source = await new LocalFiles().open(join(folder, 'a'));
      await writeFile(join(folder, 'b'), 'other');
      await rename(join(folder, 'b'), join(folder, 'a'));
      expect(await source.read(500, 10)).toEqual(CONTENT.slice(500, 510));
      await source.close();
      const small = await new LocalFiles().open(join(folder, 'a'));
      await truncate(join(folder, 'a'), 2);
      await expect(small.read(0, 5)).rejects.toThrow(
        'must have 5 bytes, got 2: the file was cut after it was opened',
      );
      await small.close();
    });
  });

  it('says what it cannot open, and keeps no handle of it', async () => {
    await withTemporaryFolder(async (folder) => {
      const files = new LocalFiles();
      await expect(files.open(join(folder, 'none'))).rejects.toThrow('none: no such file');
      await expect(files.open(folder)).rejects.toThrow('it must be a file');
      expect(files.openFiles).toBe(0);
    });
  });

  it('notices that a file was written into while it was open', async () => {
    await withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a');
      await writeFile(path, 'one');
      const source = await new LocalFiles().open(path);
      await source.verify();
      await utimes(path, 1, 1);
      await expect(source.verify()).rejects.toThrow(BadImageError);
      await source.close();
    });
  });

  it('lists the files of a folder, sorted; a file is no folder', async () => {
    await withTemporaryFolder(async (folder) => {
      await mkdir(join(folder, 'sub'));
      await writeFile(join(folder, 'b'), '');
      await writeFile(join(folder, 'a'), '');
      await symlink(join(folder, 'a'), join(folder, 'c'));
      const files = new LocalFiles();
      expect(await files.list(folder)).toEqual({ files: ['a', 'b', 'c'], folders: ['sub'] });
      expect(await files.list(join(folder, 'a'))).toBeUndefined();
      await expect(files.list(join(folder, 'none'))).rejects.toThrow(MissingImageError);
    });
  });
});
