import type { SeriesEntry } from '@lunastream/dataset';
import { withTemporaryFolder } from '@lunastream/testing';
import { irc, openVolume, type VolumeReader } from '@lunastream/volume';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeScan, SCAN_SHAPE, writeScan } from './testing/index.ts';
import { VolumePool } from './volume-pool.ts';

const ONE_VOXEL = { depth: 1, height: 1, width: 1 };
/** Memory that a compressed scan of `makeScan` takes while it is open. */
const SCAN_BYTES = 2 * SCAN_SHAPE.depth * SCAN_SHAPE.height * SCAN_SHAPE.width;
const MAX_OPEN_SCANS = 64;
const open = ({ path }: SeriesEntry) => openVolume(path);

function seriesAt(folder: string, seriesUid: string): SeriesEntry {
  return {
    seriesUid,
    patientId: seriesUid,
    path: join(folder, `${seriesUid}.mhd`),
    geometry: makeScan(0).geometry,
    revision: '',
    isWindowed: true,
  };
}

/** Writes scans `names`; compressed ones are held in memory while open, others are read in windows. */
async function writeScans(folder: string, names: readonly string[], compressed: boolean) {
  const scan = makeScan(1);
  for (const name of names) await writeScan(join(folder, name), scan, { compressed });
  return names.map((name) => seriesAt(folder, name));
}

const readerOf = (pool: VolumePool, series: SeriesEntry) =>
  pool.use(series, (reader) => Promise.resolve(reader));

/** Whether `reader` still reads. */
const isOpen = (reader: VolumeReader) =>
  reader.readWindow(irc(0, 0, 0), ONE_VOXEL).then(
    () => true,
    () => false,
  );

const openStates = (readers: readonly VolumeReader[]) => Promise.all(readers.map(isOpen));

/** Work that goes on until a test lets it go. */
function pausedWork(pool: VolumePool, series: SeriesEntry) {
  let release!: () => void;
  let started!: (reader: VolumeReader) => void;
  const reader = new Promise<VolumeReader>((resolve) => (started = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const done = pool.use(series, async (opened) => {
    started(opened);
    await released;
    return isOpen(opened);
  });
  return { reader, release, done };
}

describe('VolumePool', () => {
  it('opens a scan once for all its users, at the same time or later', () =>
    withTemporaryFolder(async (folder) => {
      const [a] = await writeScans(folder, ['a'], false);
      const pool = new VolumePool({ open, limitBytes: 1 });
      const readers = await Promise.all(Array.from({ length: 8 }, () => readerOf(pool, a!)));
      readers.push(await readerOf(pool, a!));
      expect(new Set(readers).size).toBe(1);
      await pool.close();
      expect(await openStates(readers)).not.toContain(true);
    }));

  it('closes the least recently used scans to hold no more bytes than its limit', () =>
    withTemporaryFolder(async (folder) => {
      const [a, b, c] = await writeScans(folder, ['a', 'b', 'c'], true);
      const pool = new VolumePool({ open, limitBytes: 2 * SCAN_BYTES });
      const readers = [await readerOf(pool, a!), await readerOf(pool, b!)];
      expect(await readerOf(pool, a!)).toBe(readers[0]);
      readers.push(await readerOf(pool, c!));
      expect(await openStates(readers)).toEqual([true, false, true]);
      expect(await readerOf(pool, b!)).not.toBe(readers[1]);
      expect(await openStates(readers)).toEqual([false, false, true]);
      await pool.close();
    }));

  it('closes the least recently used scans to hold no more than 64 files', () =>
    withTemporaryFolder(async (folder) => {
      const names = Array.from({ length: MAX_OPEN_SCANS + 2 }, (_, number) => `scan-${number}`);
      const series = await writeScans(folder, names, false);
      const pool = new VolumePool({ open, limitBytes: 1 });
      const readers: VolumeReader[] = [];
      for (const one of series) readers.push(await readerOf(pool, one));
      const states = await openStates(readers);
      expect(states.slice(0, 3)).toEqual([false, false, true]);
      expect(states.filter(Boolean)).toHaveLength(MAX_OPEN_SCANS);
      await pool.close();
      expect(await openStates(readers)).not.toContain(true);
    }));

  it('never closes a scan in use, whatever the limit; it closes when its last user is done', () =>
    withTemporaryFolder(async (folder) => {
      const [a, b] = await writeScans(folder, ['a', 'b'], true);
      const pool = new VolumePool({ open, limitBytes: 1 });
      const [first, second] = [pausedWork(pool, a!), pausedWork(pool, a!)];
      const reader = await first.reader;
      expect(await isOpen(await readerOf(pool, b!))).toBe(false);
      first.release();
      expect(await first.done).toBe(true);
      expect(await isOpen(reader)).toBe(true);
      second.release();
      expect(await second.done).toBe(true);
      expect(await isOpen(reader)).toBe(false);
    }));

  it('closes no more than needed when several users end at once', () =>
    withTemporaryFolder(async (folder) => {
      const names = ['a', 'b', 'c', 'd'];
      const series = await writeScans(folder, names, true);
      const pool = new VolumePool({ open, limitBytes: 2 * SCAN_BYTES });
      const works = series.map((one) => pausedWork(pool, one));
      const readers = await Promise.all(works.map(({ reader }) => reader));
      for (const { release } of works) release();
      await Promise.all(works.map(({ done }) => done));
      expect((await openStates(readers)).filter(Boolean)).toHaveLength(2);
      await pool.close();
    }));

  it('opens afresh after a scan could not be opened', () =>
    withTemporaryFolder(async (folder) => {
      const pool = new VolumePool({ open, limitBytes: 1 });
      const series = seriesAt(folder, 'late');
      await expect(readerOf(pool, series)).rejects.toThrow(/late\.mhd: no such file/);
      await writeScans(folder, ['late'], false);
      expect(await isOpen(await readerOf(pool, series))).toBe(true);
      await pool.close();
    }));

  it('opens afresh after work failed, once the others are done with the old one', () =>
    withTemporaryFolder(async (folder) => {
      const [a] = await writeScans(folder, ['a'], false);
      const pool = new VolumePool({ open, limitBytes: 1 });
      const other = pausedWork(pool, a!);
      const old = await other.reader;
      await expect(pool.use(a!, () => Promise.reject(new Error('cut short')))).rejects.toThrow('cut short');
      expect(await isOpen(old)).toBe(true);
      const fresh = await readerOf(pool, a!);
      expect(fresh).not.toBe(old);
      other.release();
      expect(await other.done).toBe(true);
      expect(await openStates([old, fresh])).toEqual([false, true]);
      await pool.close();
    }));
});
