/** The folder of the local copies: which there are, how large, when they were last used; and making room in it. */
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of one copy `<name>`; the last one written is there only when all of it is. */
const SUFFIXES = ['.raw', '.raw.crc32c', '.mhd', '.mhd.crc32c'] as const;
const LAST_SUFFIX = '.mhd.crc32c';
/** What a process that was killed leaves is removed after this time: longer than any write pauses. */
const ABANDONED_MS = 600_000;

/** A copy, whole or not. */
export interface HeldCopy {
  readonly name: string;
  readonly sizeBytes: number;
  readonly isWhole: boolean;
  /** When it was made or last opened, ms since 1970. */
  readonly usedMs: number;
}

interface FoundFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly changedMs: number;
}

export class CopyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The header of a copy: what `openVolume` takes. */
  headerOf(name: string): string {
    return join(this.path, `${name}.mhd`);
  }

  /** Whether the whole copy is there; it then counts as used now. */
  async touch(name: string, now: Date): Promise<boolean> {
    try {
      await utimes(join(this.path, name + LAST_SUFFIX), now, now);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Removes a copy; its last file first, so that none is taken for whole on the way. */
  async remove(name: string): Promise<void> {
    if (name.startsWith('.')) return rm(join(this.path, name), { force: true });
    for (const suffix of [...SUFFIXES].reverse()) await rm(join(this.path, name + suffix), { force: true });
  }

  /** Every copy, least recently used first. Removes what killed processes left of writing others. */
  async list(nowMs: number): Promise<HeldCopy[]> {
    await mkdir(this.path, { recursive: true });
    const copies = new Map<string, HeldCopy>();
    for (const { name: file, sizeBytes, changedMs } of await this.#files()) {
      const isTemporary = file.startsWith('.');
      if (isTemporary && nowMs - changedMs > ABANDONED_MS) {
        await rm(join(this.path, file), { force: true });
        continue;
      }
      const name = isTemporary ? file : file.slice(0, file.indexOf('.'));
      const held = copies.get(name) ?? { name, sizeBytes: 0, isWhole: false, usedMs: 0 };
      copies.set(name, {
        name,
        sizeBytes: held.sizeBytes + sizeBytes,
        isWhole: held.isWhole || file === name + LAST_SUFFIX,
        usedMs: Math.max(held.usedMs, changedMs),
      });
    }
    return [...copies.values()].sort((a, b) => a.usedMs - b.usedMs);
  }

  async #files(): Promise<FoundFile[]> {
    const names = await readdir(this.path);
    const found = await Promise.all(
      names.map(async (name) => {
        // Another process may have removed it meanwhile.
        const stats = await stat(join(this.path, name)).catch(() => undefined);
        return stats && { name, sizeBytes: stats.size, changedMs: stats.mtimeMs };
      }),
    );
    return found.filter((file) => file !== undefined);
  }
}
