import { startFileServer, startS3Server, withTemporaryFolder } from '@lunastream/testing';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CountedFiles } from './counted-files.ts';
import { PlaceFiles } from './place-files.ts';

it('PlaceFiles opens a file wherever its location says it lies; CountedFiles counts what is read of it', () =>
  withTemporaryFolder(async (folder) => {
    await writeFile(join(folder, 'a.raw'), 'voxels');
    const servers = [await startFileServer(folder), await startS3Server(folder, 'scans')] as const;
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    const files = new CountedFiles(new PlaceFiles({ s3: { endpoint: servers[1].address, credentials } }));
    const places = [folder, servers[0].address, 's3://scans'];
    for (const place of places) {
      const source = await files.open(files.inside(place, 'a.raw'));
      expect(Buffer.from(await source.read(2, 3)).toString()).toBe('xel');
      expect(source.revision).toMatch(/^6@./);
      await source.verify();
      await source.close();
      const beside = await files.open(files.beside(files.inside(place, 'b.mhd'), 'a.raw'));
      expect(beside.sizeBytes).toBe(6);
      await beside.close();
    }
    expect(files.counts).toEqual({ readCount: 3, readBytes: 9 });
    expect(await Promise.all(places.map((place) => files.list(place)))).toEqual([
      { files: ['a.raw'], folders: [] },
      undefined,
      { files: ['a.raw'], folders: [] },
    ]);
    expect(files.nameOf('https://user:secret@host/a.mhd?signature=secret')).toBe('https://host/a.mhd');
    await Promise.all(servers.map((server) => server.close()));
  }));
