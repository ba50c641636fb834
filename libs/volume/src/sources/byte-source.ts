/**
 * Where the bytes of scans come from: a folder, a web server, a bucket. Readers of formats know these two interfaces only,
 * so each format works from each place. A read is one system call or one request: callers join what lies close together.
 */
import { createHash } from 'node:crypto';

/** One file, opened for reading parts of it. Its content does not change: a source that sees it change refuses to go on. */
export interface ByteSource {
  /** For messages: a path, or an address without the parts that may hold a secret. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Tells this content from any other that the file had or will have, as far as its place can tell: an ETag, a size with
   * a time of change. Copies of a file may differ in it.
   */
  readonly revision: string;
  /**
   * The `lengthBytes` bytes from `offsetBytes` on: a new array, alone in its buffer, which the caller may keep and change.
   * Calls may overlap in time.
   * @throws RangeError when the range does not lie inside the file.
   * @throws BadImageError when the file changed after it was opened, MissingImageError when it can no longer be read.
   */
  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Makes sure that what was read since the file was opened is of one content; a place whose every read makes sure has
   * nothing to do. @throws BadImageError when the file changed, MissingImageError when it can no longer be asked.
   */
  verify(): Promise<void>;
  /** Reads that are under way may fail. */
  close(): Promise<void>;
}

/** What a folder holds, by name, sorted. */
export interface FolderListing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** A place that has files. */
export interface FileStore {
  /** @throws MissingImageError when there is no such file or it cannot be opened. */
  open(location: string): Promise<ByteSource>;
  /** The location of the file that a header at `location` calls `name`: relative to the header's folder, `/` between names. */
  beside(location: string, name: string): string;
  /** The location of what is called `name`, `/` between names, in the folder at `location`. */
  inside(location: string, name: string): string;
  /** `location` for messages: without the parts of an address that may hold a secret. */
  nameOf(location: string): string;
  /**
   * What the folder at `location` holds; undefined where that is no folder, or the place cannot list.
   * @throws MissingImageError when there is nothing at `location` or it cannot be read.
   */
  list(location: string): Promise<FolderListing | undefined>;
}

/** @throws RangeError when the range does not lie inside `source`: asking for it is a bug of the caller. */
export function assertInSource(source: ByteSource, offsetBytes: number, lengthBytes: number): void {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (!isCount(offsetBytes) || !isCount(lengthBytes) || offsetBytes + lengthBytes > source.sizeBytes) {
    throw new RangeError(
      `Cannot read ${source.name}: a range must lie in its ${source.sizeBytes} bytes, ` +
        `got ${lengthBytes} bytes from ${offsetBytes}`,
    );
  }
}

/** The first `limitBytes` bytes of `source`, or all of a shorter one. */
export function readStart(source: ByteSource, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return source.read(0, Math.min(limitBytes, source.sizeBytes));
}

// Large enough that system calls and requests are few, small enough that a few of them are nothing.
const BLOCK_BYTES = 1_048_576;

/** The bytes of a range in order, in blocks. */
export async function* readBlocks(
  source: ByteSource,
  offsetBytes: number,
  lengthBytes: number,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < lengthBytes; done += BLOCK_BYTES) {
    yield await source.read(offsetBytes + done, Math.min(BLOCK_BYTES, lengthBytes - done));
  }
}

/**
 * What tells the content of these files from any other they had or will have: see `ByteSource.revision`. Does not depend on
 * the folder they lie in, nor on the order in which they were opened.
 */
export function revisionOf(sources: readonly ByteSource[]): string {
  const files = sources.map(({ name, revision }) => [name.slice(name.lastIndexOf('/') + 1), revision]);
  const lines = files.map((file) => JSON.stringify(file)).sort();
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
