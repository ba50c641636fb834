import { withTemporaryFolder } from '@lunastream/testing';
import fc from 'fast-check';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { voxelCount, xyzMm } from '../coordinates.ts';
import { IDENTITY_DIRECTION, type Matrix3 } from '../geometry.ts';
import { readVolume } from '../volume-reader.ts';
import type { Volume } from '../volume.ts';
import { writeMetaImage } from './write-metaimage.ts';

const finite = fc
  .double({ min: -1e4, max: 1e4, noNaN: true, noDefaultInfinity: true })
  .map((value) => value + 0);
const spacing = fc.double({ min: 1e-3, max: 10, noNaN: true });
const extent = fc.integer({ min: 1, max: 6 });
const volumes: fc.Arbitrary<Volume> = fc
  .record({
    shape: fc.record({ depth: extent, height: extent, width: extent }),
    originXyzMm: fc.tuple(finite, finite, finite).map((place) => xyzMm(...place)),
    spacingXyzMm: fc.tuple(spacing, spacing, spacing).map((place) => xyzMm(...place)),
    direction: fc.constantFrom<Matrix3>(
      IDENTITY_DIRECTION,
      [0, -1, 0, 1, 0, 0, 0, 0, 1],
      [0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, -1],
    ),
  })
  .chain((geometry) =>
    fc.record({
      geometry: fc.constant(geometry),
      voxelsHu: fc.int16Array({
        minLength: voxelCount(geometry.shape),
        maxLength: voxelCount(geometry.shape),
      }),
    }),
  );

const SMALL: Volume = {
  geometry: {
    shape: { depth: 2, height: 2, width: 2 },
    originXyzMm: xyzMm(0, 0, 0),
    spacingXyzMm: xyzMm(1, 1, 1),
    direction: IDENTITY_DIRECTION,
  },
  voxelsHu: Int16Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
};

describe('writeMetaImage()', () => {
  it.each([false, true])('writes what readVolume() reads back exactly, compressed %s', async (compressed) => {
    await withTemporaryFolder(async (folder) => {
      const path = join(folder, 'scan.mhd');
      await fc.assert(
        fc.asyncProperty(volumes, async (volume) => {
          await writeMetaImage(path, volume, { compressed });
          expect(await readVolume(path)).toEqual(volume);
        }),
        { numRuns: 40 },
      );
      expect((await readdir(folder)).sort()).toEqual(['scan.mhd', compressed ? 'scan.zraw' : 'scan.raw']);
    });
  });

  it('writes an array that is a view into a larger buffer', async () => {
    await withTemporaryFolder(async (folder) => {
      const voxelsHu = new Int16Array([99, ...SMALL.voxelsHu, 99]).subarray(1, 9);
      await writeMetaImage(join(folder, 'scan.mhd'), { ...SMALL, voxelsHu });
      expect((await readFile(join(folder, 'scan.raw'))).length).toBe(16);
      expect((await readVolume(join(folder, 'scan.mhd'))).voxelsHu).toEqual(SMALL.voxelsHu);
    });
  });

  it('leaves nothing behind when it fails half way', async () => {
    await withTemporaryFolder(async (folder) => {
      // A folder of the header's name: the data file can be written, the header cannot be renamed over it.
      await mkdir(join(folder, 'scan.mhd', 'inside'), { recursive: true });
      await expect(writeMetaImage(join(folder, 'scan.mhd'), SMALL)).rejects.toThrow();
      expect((await readdir(folder)).sort()).toEqual(['scan.mhd', 'scan.raw']);
    });
  });

  it('refuses another suffix, a wrong number of voxels and an impossible geometry before it writes', async () => {
    await withTemporaryFolder(async (folder) => {
      const path = join(folder, 'scan.mhd');
      await expect(writeMetaImage(join(folder, 'scan.raw'), SMALL)).rejects.toThrow('must end in .mhd');
      await expect(writeMetaImage(path, { ...SMALL, voxelsHu: new Int16Array(7) })).rejects.toThrow(
        'its shape needs 8 voxels, got 7',
      );
      const geometry = { ...SMALL.geometry, spacingXyzMm: xyzMm(1, 1, -1) };
      await expect(writeMetaImage(path, { ...SMALL, geometry })).rejects.toThrow(
        'spacingXyzMm must be positive',
      );
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
