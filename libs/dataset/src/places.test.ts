import { startFileServer, startS3Server, withTemporaryFolder } from '@lunastream/testing';
import { IDENTITY_DIRECTION, PlaceFiles, voxelCount, xyzMm, type Volume } from '@lunastream/volume';
import { SCAN_FORMATS, writeScanAs } from '@lunastream/volume/testing';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANNOTATIONS_HEADER, CANDIDATES_HEADER } from '../test/lay-out-dataset.ts';
import { findSeries } from './find-series.ts';
import { loadDataset } from './load-dataset.ts';

const SHAPE = { depth: 4, height: 5, width: 6 };
const SCAN: Volume = {
  geometry: {
    shape: SHAPE,
    originXyzMm: xyzMm(-8, 4, 16),
    spacingXyzMm: xyzMm(0.5, 0.75, 2),
    direction: IDENTITY_DIRECTION,
  },
  voxelsHu: Int16Array.from({ length: voxelCount(SHAPE) }, (_, voxel) => voxel * 3 - 100),
};
const uidOf = (index: number) => `1.2.${index}`;

/** A data set with a scan in each format, all the same voxels, and a candidate in the middle of each. */
async function layOutFormats(folder: string): Promise<void> {
  for (const [index, format] of SCAN_FORMATS.entries()) {
    await writeScanAs(format, join(folder, `subset${index % 2}`, uidOf(index)), SCAN);
  }
  const rows = SCAN_FORMATS.map((_, index) => `${uidOf(index)},-7,5.5,20,1`);
  await writeFile(join(folder, 'candidates.csv'), [CANDIDATES_HEADER, ...rows, ''].join('\n'));
  await writeFile(join(folder, 'annotations.csv'), `${ANNOTATIONS_HEADER}\n`);
}

const listOf = (rows: readonly string[]) => ['seriesuid,path', ...rows, ''].join('\n');

describe('loadDataset() of every format', () => {
  it('finds the scans of a folder and gives them the same geometry', () =>
    withTemporaryFolder(async (folder) => {
      await layOutFormats(folder);
      const { series, badSeries, candidates } = await loadDataset(folder);
      expect(badSeries).toEqual([]);
      expect([...series.keys()]).toEqual(SCAN_FORMATS.map((_, index) => uidOf(index)));
      for (const { geometry } of series.values()) expect(geometry).toEqual(SCAN.geometry);
      expect(candidates).toHaveLength(SCAN_FORMATS.length);
      const windowed = SCAN_FORMATS.filter((_, index) => series.get(uidOf(index))!.isWindowed);
      expect(windowed).toEqual(['.mhd with .raw', '.mha', '.nrrd', '.nii']);
    }));

  it('gives each scan a revision of its own, which changes with its files and not with their folder', () =>
    withTemporaryFolder(async (folder) => {
      await layOutFormats(folder);
      const before = (await loadDataset(folder)).series;
      expect(new Set([...before.values()].map(({ revision }) => revision)).size).toBe(SCAN_FORMATS.length);
      await writeScanAs('.nrrd', join(folder, 'subset0', uidOf(4)), {
        ...SCAN,
        voxelsHu: SCAN.voxelsHu.slice().fill(7),
      });
      const after = (await loadDataset(folder)).series;
      const changed = SCAN_FORMATS.filter(
        (_, index) => before.get(uidOf(index))!.revision !== after.get(uidOf(index))!.revision,
      );
      expect(changed).toEqual(['.nrrd']);
    }));

  it('reads a bucket as it reads the folder', () =>
    withTemporaryFolder(async (folder) => {
      await layOutFormats(join(folder, 'sets/lung'));
      const server = await startS3Server(folder, 'scans');
      const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
      const files = new PlaceFiles({ s3: { endpoint: server.address, credentials } });
      const remote = await loadDataset('s3://scans/sets/lung/', { files });
      const local = await loadDataset(join(folder, 'sets/lung'));
      expect(remote.fingerprint).toBe(local.fingerprint);
      expect(remote.candidates).toEqual(local.candidates);
      expect([...remote.series.keys()]).toEqual([...local.series.keys()]);
      await expect(loadDataset('s3://scans/sets/none', { files })).rejects.toThrow(
        'Cannot read s3://scans/sets/none: the folder must exist',
      );
      await server.close();
    }));

  it('reads a web server, where series.csv says which scans there are', () =>
    withTemporaryFolder(async (folder) => {
      await layOutFormats(folder);
      const server = await startFileServer(folder);
      const files = new PlaceFiles({ http: { retries: 0 } });
      const address = `${server.address}/?token=secret`;
      await expect(loadDataset(address, { files })).rejects.toThrow(
        `Cannot read ${server.address}/: it must be a folder that can be listed, or have a series.csv that lists its scans`,
      );
      const rows = [`a,subset0/${uidOf(0)}.mhd`, `b,subset1/${uidOf(7)}.nii.gz`, 'c,none.nii'];
      await writeFile(join(folder, 'series.csv'), listOf(rows));
      const { series, badSeries } = await loadDataset(address, { files });
      expect([...series.keys()]).toEqual(['a', 'b']);
      for (const { geometry } of series.values()) expect(geometry).toEqual(SCAN.geometry);
      expect(badSeries.map(({ reason }) => reason.message)).toEqual([
        `Cannot open ${server.address}/none.nii: the server answered 404`,
      ]);
      await server.close();
    }));
});

describe('series.csv', () => {
  it('says which scans a folder has, instead of its listing', () =>
    withTemporaryFolder(async (folder) => {
      await layOutFormats(folder);
      await writeFile(join(folder, 'series.csv'), listOf([`x,subset1/${uidOf(5)}.nrrd`]));
      expect([...(await findSeries(folder))]).toEqual([['x', join(folder, `subset1/${uidOf(5)}.nrrd`)]]);
    }));

  it.each(['../b.nii', '/etc/b.nii', 'a/../../b.nii', 'http://host/b.nii', 'a\\b.nii', ''])(
    "refuses the path '%s': it leads out of the folder, or is none",
    (path) =>
      withTemporaryFolder(async (folder) => {
        await writeFile(join(folder, 'series.csv'), listOf(['x,a.nii', `y,${path}`]));
        await expect(findSeries(folder)).rejects.toThrow(/series\.csv:3: field path must/);
      }),
  );

  it('is refused when it gives a uid twice', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'series.csv'), listOf(['x,a.nii', 'x,b.nii']));
      await expect(findSeries(folder)).rejects.toThrow('Cannot use series x: it must be one file');
    }));
});

it('findSeries() takes folders of DICOM files for scans, also of files without suffix, and no other folders', () =>
  withTemporaryFolder(async (folder) => {
    await writeScanAs('DICOM folder', join(folder, 'a'), SCAN);
    await mkdir(join(folder, 'b'));
    const start = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);
    await writeFile(join(folder, 'b/1.2.840.1'), start);
    for (const other of ['chunks', '.hidden', 'empty']) await mkdir(join(folder, other));
    await writeFile(join(folder, 'chunks/data.mdb'), start);
    await writeFile(join(folder, 'chunks/LICENSE'), 'no scan');
    await writeFile(join(folder, '.hidden/a.dcm'), start);
    expect([...(await findSeries(folder)).keys()]).toEqual(['a', 'b']);
    await rm(join(folder, 'a'), { recursive: true });
  }));
