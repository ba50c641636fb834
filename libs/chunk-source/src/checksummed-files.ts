/**
 * Files whose bytes are checked as they are read: a table of CRC-32C, one for each block of 16 KiB, lies beside the file.
 * Reads are widened to whole blocks, so that a chunk of a copied scan is checked at the price of a few kilobytes more.
 */
import { crc32c } from '@lunastream/chunk-store';
import type { ByteSource, FileStore, FolderListing } from '@lunastream/volume';
import { CorruptCopyError } from './errors.ts';

const BLOCK_BYTES = 16_384;
const CRC_BYTES = 4;

/** Makes the table of a file from its bytes in order. */
export class ChecksumTable {
  readonly #sums: number[] = [];
  #rest = Buffer.alloc(0);

  add(bytes: Uint8Array): void {
    let block = Buffer.concat([this.#rest, bytes]);
    while (block.length >= BLOCK_BYTES) {
      this.#sums.push(crc32c(block.subarray(0, BLOCK_BYTES)));
      block = block.subarray(BLOCK_BYTES);
    }
    // A copy: a view would keep all of `bytes`.
    this.#rest = Buffer.from(block);
  }

  /** The bytes of the table: CRC-32C of what follows, then one of each block, little-endian. */
  toBytes(): Buffer {
    const sums = this.#rest.length > 0 ? [...this.#sums, crc32c(this.#rest)] : this.#sums;
    const table = Buffer.alloc((sums.length + 1) * CRC_BYTES);
    sums.forEach((sum, at) => table.writeUInt32LE(sum, (at + 1) * CRC_BYTES));
    table.writeUInt32LE(crc32c(table.subarray(CRC_BYTES)), 0);
    return table;
  }
}

/** The sums of a file of `sizeBytes` bytes. @throws CorruptCopyError when the table is damaged or of another file. */
function readSums(table: Uint8Array, sizeBytes: number, name: string): Uint32Array {
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.byteLength);
  const count = Math.ceil(sizeBytes / BLOCK_BYTES);
  const isWhole = bytes.length === (count + 1) * CRC_BYTES;
  if (!isWhole || bytes.readUInt32LE(0) !== crc32c(bytes.subarray(CRC_BYTES))) {
    throw new CorruptCopyError(name, 'its checksums do not match');
  }
  return Uint32Array.from({ length: count }, (_, at) => bytes.readUInt32LE((at + 1) * CRC_BYTES));
}

/** A file of `source`'s with the sums of its table. */
class ChecksummedSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #sums: Uint32Array;

  constructor(source: ByteSource, sums: Uint32Array) {
    this.#source = source;
    this.#sums = sums;
  }

  get name(): string {
    return this.#source.name;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  get revision(): string {
    return this.#source.revision;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const first = Math.floor(offsetBytes / BLOCK_BYTES);
    const start = first * BLOCK_BYTES;
    const end = Math.min(this.sizeBytes, Math.ceil((offsetBytes + lengthBytes) / BLOCK_BYTES) * BLOCK_BYTES);
    const bytes = await this.#source.read(start, Math.max(0, end - start));
    for (let at = 0, block = first; at < bytes.length; at += BLOCK_BYTES, block++) {
      if (crc32c(bytes.subarray(at, at + BLOCK_BYTES)) !== this.#sums[block]) {
        throw new CorruptCopyError(this.name, `the checksum of bytes ${start + at} and on does not match`);
      }
    }
    return bytes.slice(offsetBytes - start, offsetBytes - start + lengthBytes);
  }

  verify(): Promise<void> {
    return this.#source.verify();
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

/** Reads files of another store that have a table beside them, `<file>.crc32c`, by its sums. */
export class ChecksummedFiles implements FileStore {
  readonly #files: FileStore;

  constructor(files: FileStore) {
    this.#files = files;
  }

  async open(location: string): Promise<ByteSource> {
    const source = await this.#files.open(location);
    try {
      const table = await this.#files.open(`${location}.crc32c`);
      try {
        const sums = readSums(await table.read(0, table.sizeBytes), source.sizeBytes, source.name);
        return new ChecksummedSource(source, sums);
      } finally {
        await table.close();
      }
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  beside(location: string, name: string): string {
    return this.#files.beside(location, name);
  }

  inside(location: string, name: string): string {
    return this.#files.inside(location, name);
  }

  nameOf(location: string): string {
    return this.#files.nameOf(location);
  }

  list(location: string): Promise<FolderListing | undefined> {
    return this.#files.list(location);
  }
}
