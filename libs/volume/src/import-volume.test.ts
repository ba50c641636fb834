import { withTemporaryFolder } from '@lunastream/testing';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm } from './coordinates.ts';
import { BadImageError } from './errors.ts';
import { importedSizeBytes, importVolume } from './import-volume.ts';
import { inspectVolume, openVolume, readVolume } from './volume-reader.ts';
import type { Volume } from './volume.ts';
import { writeMetaImage } from './metaimage/write-metaimage.ts';

const SHAPE = { depth: 5, height: 6, width: 7 };
const VOLUME: Volume = {
  geometry: {
    shape: SHAPE,
    originXyzMm: xyzMm(-1.5, 2, 1 / 3),
    spacingXyzMm: xyzMm(0.7, 0.7, 2.5),
    direction: [0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, -1],
  },
  voxelsHu: Int16Array.from({ length: voxelCount(SHAPE) }, (_, offset) => offset * 11 - 1000),
};

describe('importVolume()', () => {
  it('leaves a copy that reads the same, in windows', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeMetaImage(join(folder, 'scan.mhd'), VOLUME, { compressed: true });
      const target = { folder: join(folder, 'tier', 'volumes'), name: '1.2.840-x_1' };
      const copy = await importVolume(join(folder, 'scan.mhd'), target);
      expect(copy.path).toBe(join(target.folder, '1.2.840-x_1.mhd'));
      expect(copy.geometry).toEqual(VOLUME.geometry);
      expect((await inspectVolume(join(folder, 'scan.mhd'))).isWindowed).toBe(false);
      expect((await inspectVolume(copy.path)).isWindowed).toBe(true);
      expect(await readVolume(copy.path)).toEqual(VOLUME);
      const reader = await openVolume(copy.path);
      expect(reader.residentBytes).toBe(0);
      await reader.close();
      const names = (await readdir(target.folder)).sort();
      expect(names).toEqual(['1.2.840-x_1.mhd', '1.2.840-x_1.raw']);
      const sizes = await Promise.all(
        names.map(async (name) => (await stat(join(target.folder, name))).size),
      );
      expect(copy.sizeBytes).toBe(sizes[0]! + sizes[1]!);
      expect(importedSizeBytes(VOLUME.geometry)).toBe(sizes[1]);
    });
  });

  it('copies a scan of several slabs', async () => {
    await withTemporaryFolder(async (folder) => {
      const shape = { depth: 20, height: 1024, width: 512 };
      const large = { geometry: { ...VOLUME.geometry, shape }, voxelsHu: new Int16Array(voxelCount(shape)) };
      large.voxelsHu.forEach((_, offset) => (large.voxelsHu[offset] = offset % 3001));
      await writeMetaImage(join(folder, 'scan.mhd'), large);
      const { path } = await importVolume(join(folder, 'scan.mhd'), { folder, name: 'copy' });
      const { voxelsHu } = await readVolume(path);
      expect(Buffer.from(voxelsHu.buffer).equals(Buffer.from(large.voxelsHu.buffer))).toBe(true);
    });
  });

  it('replaces an earlier copy, and leaves it readable to who has it open', async () => {
    await withTemporaryFolder(async (folder) => {
      const target = { folder: join(folder, 'tier'), name: 'scan' };
      await writeMetaImage(join(folder, 'scan.mhd'), VOLUME);
      const { path } = await importVolume(join(folder, 'scan.mhd'), target);
      const before = await openVolume(path);
      const other = { ...VOLUME, voxelsHu: VOLUME.voxelsHu.map((hu) => hu + 1) };
      await writeMetaImage(join(folder, 'scan.mhd'), other);
      await importVolume(join(folder, 'scan.mhd'), target);
      expect(await before.readWindow(irc(0, 0, 0), SHAPE)).toEqual(VOLUME.voxelsHu);
      await before.close();
      expect(await readVolume(path)).toEqual(other);
    });
  });

  it('leaves nothing behind when the source is damaged or the target cannot be written', async () => {
    await withTemporaryFolder(async (folder) => {
      const target = { folder: join(folder, 'tier'), name: 'scan' };
      await writeMetaImage(join(folder, 'scan.mhd'), VOLUME, { compressed: true });
      await writeFile(join(folder, 'scan.zraw'), 'damaged');
      await expect(importVolume(join(folder, 'scan.mhd'), target)).rejects.toThrow(BadImageError);
      await writeMetaImage(join(folder, 'good.mhd'), VOLUME);
      await mkdir(join(target.folder, 'scan.raw', 'in the way'), { recursive: true });
      await expect(importVolume(join(folder, 'good.mhd'), target)).rejects.toThrow(/EISDIR|ENOTEMPTY/);
      expect(await readdir(target.folder)).toEqual(['scan.raw']);
    });
  });

  it.each(['', '../x', 'a/b', '.hidden', 'a\\b', 'a\0'])('refuses the name %j', async (name) => {
    await expect(importVolume('scan.mhd', { folder: 'tier', name })).rejects.toThrow(RangeError);
  });
});
