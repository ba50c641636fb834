import { withTemporaryFolder } from '@lunastream/testing';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layOutScans, makeScan, writeScan } from './testing/index.ts';
import { DatasetCatalog } from './dataset-catalog.ts';

/** A catalog of data set `luna` in `folder`; `loads` counts how often it was read. */
function catalogOf(folder: string) {
  let loads = 0;
  const catalog = new DatasetCatalog([{ name: 'luna', folder }], { onRead: () => loads++ });
  return { catalog, loads: () => loads };
}

describe('DatasetCatalog', () => {
  it('reads a data set when it is first asked for, and only then', () =>
    withTemporaryFolder(async (folder) => {
      const { catalog, loads } = catalogOf(await layOutScans(folder));
      expect(loads()).toBe(0);
      const dataset = await catalog.get('luna');
      expect([...dataset.series.keys()]).toEqual(['a', 'b']);
      expect(await catalog.get('luna')).toBe(dataset);
      expect(loads()).toBe(1);
    }));

  it('reads it once for everyone who asks at the same time', () =>
    withTemporaryFolder(async (folder) => {
      const { catalog, loads } = catalogOf(await layOutScans(folder));
      const datasets = await Promise.all(Array.from({ length: 16 }, () => catalog.get('luna')));
      expect(new Set(datasets).size).toBe(1);
      expect(loads()).toBe(1);
    }));

  it('tells which data sets there are when a name is unknown', async () => {
    await expect(catalogOf('/nowhere').catalog.get('lidc')).rejects.toMatchObject({
      fault: 'unknown',
      message: "Cannot find data set 'lidc': there are luna",
    });
  });

  it('does not take names of objects for data sets', async () => {
    await expect(catalogOf('/nowhere').catalog.get('constructor')).rejects.toMatchObject({
      fault: 'unknown',
    });
  });

  it('refuses a data set that is not the one meant', () =>
    withTemporaryFolder(async (folder) => {
      const { catalog } = catalogOf(await layOutScans(folder));
      const dataset = await catalog.get('luna');
      const { fingerprint } = dataset;
      expect(await catalog.get('luna', fingerprint)).toBe(dataset);
      await expect(catalog.get('luna', 'f00d')).rejects.toMatchObject({
        fault: 'changed',
        message: `Cannot use data set luna: it has fingerprint ${fingerprint}, got f00d`,
      });
    }));

  it('reads a data set again when told that it changed, once for all who tell it', () =>
    withTemporaryFolder(async (folder) => {
      const { catalog, loads } = catalogOf(await layOutScans(folder));
      const first = await catalog.get('luna');
      await writeScan(join(folder, 'subset0/a'), makeScan(3));
      const renewed = await Promise.all([catalog.renew(first), catalog.renew(first)]);
      expect(new Set(renewed).size).toBe(1);
      expect(renewed[0].fingerprint).toBe(first.fingerprint);
      expect(renewed[0].series.get('a')!.revision).not.toBe(first.series.get('a')!.revision);
      expect(await catalog.renew(first)).toBe(renewed[0]);
      expect(await catalog.get('luna')).toBe(renewed[0]);
      expect(loads()).toBe(2);
    }));

  it('refuses a folder that it cannot read, to everyone who asked, and tries again', () =>
    withTemporaryFolder(async (folder) => {
      await layOutScans(folder);
      await rm(join(folder, 'candidates.csv'));
      const { catalog } = catalogOf(folder);
      const refusals = await Promise.allSettled([catalog.get('luna'), catalog.get('luna')]);
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({
          status: 'rejected',
          reason: {
            fault: 'unreadable',
            message: expect.stringContaining('candidates.csv: the file must exist') as string,
          },
        });
      }
      await layOutScans(folder);
      expect((await catalog.get('luna')).series.size).toBe(2);
    }));
});
