/**
 * Where the bytes of scans come from: a folder, a web server, a bucket. Readers of formats know these two interfaces only,
 * so each format works from each place. A read is one system call or one request: callers join what lies close together.
 */

/** One file, opened for reading parts of it. Its content does not change: a source that sees it change refuses to go on. */
export interface ByteSource {
  /** For messages: a path, or an address without the parts that may hold a secret. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * The `lengthBytes` bytes from `offsetBytes` on: a new array, alone in its buffer, which the caller may keep and change.
   * Calls may overlap in time.
   * @throws RangeError when the range does not lie inside the file.
   * @throws BadImageError when the file changed after it was opened, MissingImageError when it can no longer be read.
   */
  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads that are under way may fail. */
  close(): Promise<void>;
}

/** A place that has files. */
export interface FileStore {
  /** @throws MissingImageError when there is no such file or it cannot be opened. */
  open(location: string): Promise<ByteSource>;
  /** The location of the file that a header at `location` calls `name`: relative to the header's folder, `/` between names. */
  beside(location: string, name: string): string;
  /** Names of the files in the folder at `location`, sorted; undefined where that is no folder, or the place has none. */
  list(location: string): Promise<readonly string[] | undefined>;
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
