import { startS3Server, withTemporaryFolder, type FileServer } from '@lunastream/testing';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm } from '../coordinates.ts';
import { cropChunk } from '../crop-chunk.ts';
import { BadImageError, MissingImageError } from '../errors.ts';
import { IDENTITY_DIRECTION } from '../geometry.ts';
import { openVolume, readChunk } from '../volume-reader.ts';
import type { Volume } from '../volume.ts';
import { writeMetaImage } from '../metaimage/write-metaimage.ts';
import { S3Files } from './s3-files.ts';

const CREDENTIALS = { accessKeyId: 'key', secretAccessKey: 'secret' };
const CONTENT = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) % 251));

const filesOf = ({ address }: Pick<FileServer, 'address'>) =>
  new S3Files({ endpoint: address, credentials: CREDENTIALS, attempts: 1 });

/** Runs `use` with a folder and a server that serves it as the bucket `scans`. */
async function withBucket(
  use: (bucket: { folder: string; server: FileServer; files: S3Files }) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const server = await startS3Server(folder, 'scans');
    try {
      await use({ folder, server, files: filesOf(server) });
    } finally {
      await server.close();
    }
  });
}

describe('S3Files, against a server of S3 calls through the real SDK', () => {
  it('reads ranges; those of the first 64 kB cost one request together', () =>
    withBucket(async ({ folder, server, files }) => {
      await mkdir(join(folder, 'set'));
      await writeFile(join(folder, 'set/a b.raw'), CONTENT);
      const source = await files.open('s3://scans/set/a b.raw');
      expect(source).toMatchObject({ name: 's3://scans/set/a b.raw', sizeBytes: CONTENT.length });
      expect(Buffer.from(await source.read(10, 20))).toEqual(CONTENT.subarray(10, 30));
      const bytes = await source.read(65_000, 70_000);
      expect(CONTENT.subarray(65_000, 135_000).equals(bytes)).toBe(true);
      expect(bytes.buffer.byteLength).toBe(70_000);
      await expect(source.read(199_999, 2)).rejects.toThrow(RangeError);
      expect(server.requests.map((request) => request.split(' ').at(-1))).toEqual([
        'bytes=0-65535',
        'bytes=65000-134999',
      ]);
      await source.close();
    }));

  it('cuts a chunk of a scan by the bytes it needs', () =>
    withBucket(async ({ folder, files }) => {
      const shape = { depth: 20, height: 64, width: 64 };
      const volume: Volume = {
        geometry: {
          shape,
          originXyzMm: xyzMm(1, 2, 3),
          spacingXyzMm: xyzMm(1, 1, 2),
          direction: IDENTITY_DIRECTION,
        },
        voxelsHu: Int16Array.from({ length: voxelCount(shape) }, (_, voxel) => (voxel * 7) % 1900),
      };
      await writeMetaImage(join(folder, 'a.mhd'), volume);
      const reader = await openVolume('s3://scans/a.mhd', { files });
      const chunkShape = { depth: 4, height: 6, width: 8 };
      const center = irc(15, 40, 60);
      expect(await readChunk(reader, center, chunkShape)).toEqual(cropChunk(volume, center, chunkShape));
      await reader.close();
    }));

  it('lists folders over several pages', () =>
    withBucket(async ({ folder, files }) => {
      await mkdir(join(folder, 'set/subset0'), { recursive: true });
      const names = Array.from({ length: 250 }, (_, number) => `${1000 + number}.mhd`);
      for (const name of names) await writeFile(join(folder, 'set', name), '');
      await writeFile(join(folder, 'set/subset0/x.mhd'), '');
      for (const location of ['s3://scans/set', 's3://scans/set/']) {
        expect(await files.list(location)).toEqual({ files: names, folders: ['subset0'] });
      }
      expect(await files.list('s3://scans')).toEqual({ files: [], folders: ['set'] });
      await expect(files.list('s3://scans/none')).rejects.toMatchObject({ isAbsent: true });
    }));

  it('refuses to go on with an object that was replaced after it was opened', () =>
    withBucket(async ({ folder, files }) => {
      await writeFile(join(folder, 'a.raw'), CONTENT);
      const source = await files.open('s3://scans/a.raw');
      await writeFile(join(folder, 'a.raw'), Buffer.from(CONTENT).reverse());
      const later = await files.open('s3://scans/a.raw');
      expect(later.revision).not.toBe(source.revision);
      await expect(source.read(100_000, 10)).rejects.toThrow(BadImageError);
      await expect(source.read(100_000, 10)).rejects.toThrow('it was replaced after it was opened');
    }));

  it('opens an empty object', () =>
    withBucket(async ({ folder, files }) => {
      await writeFile(join(folder, 'empty'), '');
      expect((await files.open('s3://scans/empty')).sizeBytes).toBe(0);
    }));

  it('says what is missing: object, bucket, right, server', () =>
    withBucket(async ({ server, files }) => {
      const missing = await files.open('s3://scans/none.mhd').catch((error: unknown) => error);
      expect(missing).toBeInstanceOf(MissingImageError);
      expect(missing).toMatchObject({
        isAbsent: true,
        message: 'Cannot open s3://scans/none.mhd: no such file',
      });
      await expect(files.open('s3://other/a')).rejects.toMatchObject({ isAbsent: true });
      await expect(files.list('s3://other/a')).rejects.toThrow('the server answered 404 NoSuchBucket');
      await expect(files.open('s3://')).rejects.toThrow('it must be s3://BUCKET/KEY');
      await server.close();
      await expect(files.open('s3://scans/a')).rejects.toThrow(/Cannot open s3:\/\/scans\/a: ./);
    }));

  it('names places beside and inside others', () => {
    const files = new S3Files();
    expect(files.beside('s3://scans/set/a.mhd', 'a.raw')).toBe('s3://scans/set/a.raw');
    expect(files.inside('s3://scans/set/', 'subset0')).toBe('s3://scans/set/subset0');
    expect(files.inside('s3://scans', 'a.mhd')).toBe('s3://scans/a.mhd');
  });
});
