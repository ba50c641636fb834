/**
 * Local copies of scans that cannot be read in windows where they lie (compressed files, DICOM series): read whole once,
 * kept as int16 voxels on the local disk, read in windows from then on. A copy appears whole or not at all, its bytes
 * are checked as they are read, and the least recently used go to keep all of them below a number of bytes. Losing one
 * is never an error: it is made again. Several processes may share the folder.
 */
import { SingleFlight, TierHealth, type TierEvents } from '@lunastream/chunk-store';
import type { SeriesEntry } from '@lunastream/dataset';
import {
  importedSizeBytes,
  importVolume,
  isSameShape,
  LocalFiles,
  openVolume,
  readBlocks,
  VolumeError,
  type FileStore,
  type Irc,
  type Shape,
  type VolumeReader,
} from '@lunastream/volume';
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { ChecksummedFiles, ChecksumTable } from './checksummed-files.ts';
import { CopyFolder } from './copy-folder.ts';
import { CorruptCopyError, SeriesChangedError } from './errors.ts';

export interface VolumeCopiesOptions {
  readonly folder: string;
  /** Most bytes of copies. */
  readonly limitBytes: number;
  /** Where the scans lie. */
  readonly files: FileStore;
  readonly events: TierEvents;
}

/** Counters since the copies were opened, and what there is now. */
export interface VolumeCopiesStats {
  /** Times a copy was there. */
  readonly hitCount: number;
  /** Scans read whole to make a copy. */
  readonly copiedCount: number;
  readonly entryCount: number;
  readonly sizeBytes: number;
  readonly limitBytes: number;
  readonly evictionCount: number;
  /** Copies whose checksum did not match; each was made again. */
  readonly corruptCount: number;
  /** Copies that could not be made or read: disk full, scan larger than the limit. The scan was read where it lies. */
  readonly errorCount: number;
}

/** Raise when what a copy holds changes: earlier ones are then never read, and go in time. */
const FORMAT_VERSION = 1;
// A compressed scan is inflated in memory: two at a time keep both disk and processor busy.
const IMPORTS_IN_FLIGHT = 2;

function copyName({ seriesUid, revision }: SeriesEntry): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT_VERSION, seriesUid, revision]))
    .digest('hex');
}

export class VolumeCopies {
  readonly #folder: CopyFolder;
  readonly #limitBytes: number;
  readonly #files: FileStore;
  readonly #health: TierHealth;
  readonly #copied = new ChecksummedFiles(new LocalFiles());
  readonly #flights = new SingleFlight<void>();
  readonly #importing = new Set<string>();
  readonly #limitImports = pLimit(IMPORTS_IN_FLIGHT);
  readonly #counts = { hitCount: 0, copiedCount: 0, evictionCount: 0, corruptCount: 0 };
  #held = { entryCount: 0, sizeBytes: 0 };

  constructor({ folder, limitBytes, files, events }: VolumeCopiesOptions) {
    this.#folder = new CopyFolder(folder);
    this.#limitBytes = limitBytes;
    this.#files = files;
    this.#health = new TierHealth('volumes', events);
  }

  /**
   * A reader of the copy of `series`, which is made where there is none; undefined when it cannot be made, which is the
   * disk's fault and told once: the scan must then be read where it lies.
   * @throws what reading the scan throws; SeriesChangedError when its files are no longer those of `series`.
   */
  async open(series: SeriesEntry): Promise<VolumeReader | undefined> {
    const name = copyName(series);
    try {
      await this.#flights.run(name, () => this.#ensure(name, series));
    } catch (error) {
      if (error instanceof VolumeError || error instanceof SeriesChangedError) throw error;
      this.#health.noteFailure(error);
      return undefined;
    }
    try {
      const reader = await this.#openCopy(name, series);
      this.#health.noteSuccess();
      return new CopyReader(reader, () => this.#discard(name));
    } catch (error) {
      this.#health.noteFailure(error);
      return undefined;
    }
  }

  stats(): VolumeCopiesStats {
    return {
      ...this.#counts,
      ...this.#held,
      limitBytes: this.#limitBytes,
      errorCount: this.#health.errorCount,
    };
  }

  /** A copy that is damaged, or was evicted by another process since it was found, is made again. */
  async #openCopy(name: string, series: SeriesEntry, attempts = 2): Promise<VolumeReader> {
    try {
      const reader = await openVolume(this.#folder.headerOf(name), { files: this.#copied });
      if (isSameShape(reader.geometry.shape, series.geometry.shape)) return reader;
      await reader.close();
      throw new CorruptCopyError(reader.path, 'its shape is not that of the scan');
    } catch (error) {
      if (attempts === 1 || !isCopyFault(error)) throw error;
      await this.#discard(name);
      await this.#flights.run(name, () => this.#ensure(name, series));
      return this.#openCopy(name, series, attempts - 1);
    }
  }

  async #discard(name: string): Promise<void> {
    this.#counts.corruptCount++;
    await this.#folder.remove(name);
  }

  async #ensure(name: string, series: SeriesEntry): Promise<void> {
    if (await this.#folder.touch(name, new Date())) {
      this.#counts.hitCount++;
      return;
    }
    await this.#limitImports(() => this.#import(name, series));
  }

  async #import(name: string, series: SeriesEntry): Promise<void> {
    this.#importing.add(name);
    try {
      await this.#makeRoom(importedSizeBytes(series.geometry));
      this.#counts.copiedCount++;
      const table = new ChecksumTable();
      const target = { folder: this.#folder.path, name };
      const { revision } = await importVolume(series.path, target, {
        files: this.#files,
        onVoxelBytes: (bytes) => table.add(bytes),
      });
      if (revision !== series.revision) throw new SeriesChangedError(series.seriesUid);
      await this.#writeTables(name, table);
    } catch (error) {
      await this.#folder.remove(name).catch(() => undefined);
      throw error;
    } finally {
      this.#importing.delete(name);
      await this.#count().catch(() => undefined);
    }
  }

  /** The header's table is written last: with it the copy is whole. */
  async #writeTables(name: string, table: ChecksumTable): Promise<void> {
    const header = this.#folder.headerOf(name);
    const headerTable = new ChecksumTable();
    headerTable.add(await readFile(header));
    const raw = join(this.#folder.path, `${name}.raw.crc32c`);
    for (const [path, content] of [
      [raw, table.toBytes()],
      [`${header}.crc32c`, headerTable.toBytes()],
    ] as const) {
      await writeFile(`${path}.tmp`, content);
      await rename(`${path}.tmp`, path);
    }
  }

  async #makeRoom(neededBytes: number): Promise<void> {
    if (neededBytes > this.#limitBytes) {
      throw new Error(
        `Cannot copy a scan: it must have at most ${this.#limitBytes} bytes, the limit of the copies, got ${neededBytes}`,
      );
    }
    const copies = await this.#folder.list(Date.now());
    let heldBytes = copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const { name, sizeBytes } of copies) {
      if (heldBytes + neededBytes <= this.#limitBytes) return;
      // What is being written is not a copy yet.
      if (name.startsWith('.') || this.#importing.has(name)) continue;
      await this.#folder.remove(name);
      this.#counts.evictionCount++;
      heldBytes -= sizeBytes;
    }
  }

  async #count(): Promise<void> {
    const whole = (await this.#folder.list(Date.now())).filter(({ isWhole }) => isWhole);
    const sizeBytes = whole.reduce((sum, copy) => sum + copy.sizeBytes, 0);
    this.#held = { entryCount: whole.length, sizeBytes };
  }
}

/** Whether a copy is damaged or gone; anything else is a bug. */
function isCopyFault(error: unknown): boolean {
  return error instanceof CorruptCopyError || error instanceof VolumeError;
}

/** A reader of a copy. A copy that turns out to be damaged or gone is thrown away, once for all who read it. */
class CopyReader implements VolumeReader {
  readonly #reader: VolumeReader;
  readonly #discard: () => Promise<void>;
  #discarded: Promise<void> | undefined;

  constructor(reader: VolumeReader, discard: () => Promise<void>) {
    this.#reader = reader;
    this.#discard = discard;
  }

  get path(): string {
    return this.#reader.path;
  }

  get geometry(): VolumeReader['geometry'] {
    return this.#reader.geometry;
  }

  get revision(): string {
    return this.#reader.revision;
  }

  readonly residentBytes = 0;

  /** @throws CorruptCopyError when the copy was damaged or gone, and is now thrown away: open the scan again. */
  async readWindow(start: Irc, shape: Shape): Promise<Int16Array> {
    try {
      return await this.#reader.readWindow(start, shape);
    } catch (error) {
      if (!isCopyFault(error)) throw error;
      this.#discarded ??= this.#discard();
      await this.#discarded;
      if (error instanceof CorruptCopyError) throw error;
      throw new CorruptCopyError(this.path, (error as Error).message, { cause: error });
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

/** What checking every copy of a folder found. */
export interface CheckedCopies {
  readonly entryCount: number;
  readonly sizeBytes: number;
  /** Copies that were damaged or not whole; they were removed. */
  readonly corruptCount: number;
}

/** Reads every copy in `folder` and removes those that are damaged. */
export async function verifyCopies(folder: string): Promise<CheckedCopies> {
  const copies = new CopyFolder(folder);
  const files = new ChecksummedFiles(new LocalFiles());
  let [entryCount, sizeBytes, corruptCount] = [0, 0, 0];
  for (const copy of await copies.list(Date.now())) {
    if (copy.name.startsWith('.')) continue;
    entryCount++;
    if (copy.isWhole && (await isSound(copies.headerOf(copy.name), files))) {
      sizeBytes += copy.sizeBytes;
    } else {
      corruptCount++;
      await copies.remove(copy.name);
    }
  }
  return { entryCount, sizeBytes, corruptCount };
}

/** How many copies `folder` holds, and bytes of them. */
export async function countCopies(folder: string): Promise<Omit<CheckedCopies, 'corruptCount'>> {
  const held = await new CopyFolder(folder).list(Date.now());
  return { entryCount: held.length, sizeBytes: held.reduce((sum, copy) => sum + copy.sizeBytes, 0) };
}

/** Removes every copy in `folder`; says how many and how large. */
export async function clearCopies(folder: string): Promise<Omit<CheckedCopies, 'corruptCount'>> {
  const copies = new CopyFolder(folder);
  const held = await copies.list(Date.now());
  for (const { name } of held) await copies.remove(name);
  return { entryCount: held.length, sizeBytes: held.reduce((sum, copy) => sum + copy.sizeBytes, 0) };
}

async function isSound(header: string, files: FileStore): Promise<boolean> {
  try {
    const reader = await openVolume(header, { files });
    await reader.close();
    const data = await files.open(header.replace(/\.mhd$/, '.raw'));
    try {
      for await (const block of readBlocks(data, 0, data.sizeBytes)) void block;
    } finally {
      await data.close();
    }
    return true;
  } catch (error) {
    if (error instanceof CorruptCopyError || error instanceof VolumeError) return false;
    throw error;
  }
}
