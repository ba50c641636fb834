import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BadImageError, MissingImageError } from '../errors.ts';
import { assertInSource, type ByteSource, type FileStore, type FolderListing } from './byte-source.ts';

export interface LocalFilesOptions {
  /** File handles kept open between reads; files beyond are opened again when they are read. Default 32. */
  readonly maxOpenFiles?: number;
}

/** What tells a file from another that took its name. */
interface Identity {
  readonly device: number;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

interface PooledHandle {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/** An error of the file system as one that says what to do; anything else unchanged. */
function toFileError(error: unknown, path: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined || !('syscall' in (error as object))) return error;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new MissingImageError('no such file', { path, isAbsent: true, cause: error });
  return new MissingImageError(`the system answered ${code}`, { path, cause: error });
}

async function identify(handle: FileHandle, path: string): Promise<Identity> {
  const found = await handle.stat();
  if (!found.isFile()) throw new MissingImageError('it must be a file', { path });
  return { device: found.dev, inode: found.ino, sizeBytes: found.size, modifiedMs: found.mtimeMs };
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function isSame(a: Identity, b: Identity): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.sizeBytes === b.sizeBytes &&
    a.modifiedMs === b.modifiedMs
  );
}

/** Files of this machine. Handles are pooled: a scan of 300 slice files does not hold 300 of them. */
export class LocalFiles implements FileStore {
  readonly #maxOpenFiles: number;
  /** In order of use, least recently used first. */
  readonly #handles = new Map<LocalFile, PooledHandle>();

  constructor({ maxOpenFiles = 32 }: LocalFilesOptions = {}) {
    this.#maxOpenFiles = maxOpenFiles;
  }

  /** Number of handles that are open now. */
  get openFiles(): number {
    return this.#handles.size;
  }

  async open(location: string): Promise<ByteSource> {
    const file = new LocalFile(location, this);
    try {
      await file.identify();
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  beside(location: string, name: string): string {
    return join(dirname(location), name);
  }

  inside(location: string, name: string): string {
    return join(location, name);
  }

  nameOf(location: string): string {
    return location;
  }

  async list(location: string): Promise<FolderListing | undefined> {
    try {
      const names = (await readdir(location)).sort();
      // Links to folders count as folders, as they do for every other reader of a path.
      const areFolders = await Promise.all(names.map((name) => isFolder(join(location, name))));
      return {
        files: names.filter((_, at) => !areFolders[at]),
        folders: names.filter((_, at) => areFolders[at]),
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
      throw toFileError(error, location);
    }
  }

  /** Runs `work` with an open handle of `file`. Only `LocalFile` calls this. */
  async use<Result>(file: LocalFile, work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    const pooled = this.#handles.get(file) ?? { handle: open(file.name), users: 0 };
    this.#handles.delete(file);
    this.#handles.set(file, pooled);
    pooled.users++;
    try {
      return await work(await pooled.handle);
    } catch (error) {
      // A handle that failed is not kept: the next read starts afresh.
      if (this.#handles.get(file) === pooled) this.#handles.delete(file);
      throw toFileError(error, file.name);
    } finally {
      pooled.users--;
      if (pooled.users === 0 && this.#handles.get(file) !== pooled) await closeHandle(pooled);
      await this.#closeSurplus();
    }
  }

  /** Closes the handle of `file`; one in use when its last user is done. Only `LocalFile` calls this. */
  async drop(file: LocalFile): Promise<void> {
    const pooled = this.#handles.get(file);
    this.#handles.delete(file);
    if (pooled?.users === 0) await closeHandle(pooled);
  }

  async #closeSurplus(): Promise<void> {
    const surplus: PooledHandle[] = [];
    for (const [file, pooled] of this.#handles) {
      if (this.#handles.size <= this.#maxOpenFiles) break;
      if (pooled.users > 0) continue;
      this.#handles.delete(file);
      surplus.push(pooled);
    }
    await Promise.all(surplus.map(closeHandle));
  }
}

async function closeHandle(pooled: PooledHandle): Promise<void> {
  const handle = await pooled.handle.catch(() => undefined);
  await handle?.close();
}

class LocalFile implements ByteSource {
  readonly name: string;
  readonly #files: LocalFiles;
  #identity: Identity | undefined;
  #checkedHandle: FileHandle | undefined;
  #isClosed = false;

  constructor(path: string, files: LocalFiles) {
    this.name = path;
    this.#files = files;
  }

  get sizeBytes(): number {
    return this.#identity?.sizeBytes ?? 0;
  }

  get revision(): string {
    return `${this.sizeBytes}@${this.#identity?.modifiedMs}`;
  }

  /** Also notices bytes that were written into the file while it was open. */
  async verify(): Promise<void> {
    if (this.#isClosed) return;
    await this.#files.use(this, (handle) => this.#assertSame(handle));
  }

  async identify(): Promise<void> {
    this.#identity = await this.#files.use(this, (handle) => {
      this.#checkedHandle = handle;
      return identify(handle, this.name);
    });
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isClosed) throw new Error(`Cannot read ${this.name}: the file must be open, it is closed`);
    assertInSource(this, offsetBytes, lengthBytes);
    return this.#files.use(this, async (handle) => {
      await this.#assertUnchanged(handle);
      const bytes = new Uint8Array(lengthBytes);
      for (let length = 0; length < lengthBytes;) {
        const position = offsetBytes + length;
        const { bytesRead } = await handle.read(bytes, length, lengthBytes - length, position);
        if (bytesRead === 0) {
          throw this.#fault(
            `must have ${this.sizeBytes} bytes, got ${position}: the file was cut after it was opened`,
          );
        }
        length += bytesRead;
      }
      return bytes;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#files.drop(this);
  }

  /** A handle that was closed meanwhile may have been opened on another file of the same name. */
  async #assertUnchanged(handle: FileHandle): Promise<void> {
    if (handle === this.#checkedHandle) return;
    await this.#assertSame(handle);
    this.#checkedHandle = handle;
  }

  async #assertSame(handle: FileHandle): Promise<void> {
    const identity = await identify(handle, this.name);
    if (this.#identity !== undefined && !isSame(identity, this.#identity)) {
      throw this.#fault('must stay as it was, it was changed or replaced after it was opened');
    }
  }

  #fault(rule: string): BadImageError {
    return new BadImageError(`the file ${rule}`, { path: this.name, part: 'data' });
  }
}
