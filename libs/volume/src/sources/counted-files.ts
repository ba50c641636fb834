/** Counts what is read of a place: how often and how much, over all its files. */
import type { ByteSource, FileStore, FolderListing } from './byte-source.ts';

/** What was read since counting began. */
export interface ReadCounts {
  /** System calls on files, requests to servers. */
  readonly readCount: number;
  readonly readBytes: number;
}

/** The files of another store, counted. */
export class CountedFiles implements FileStore {
  readonly #files: FileStore;
  #readCount = 0;
  #readBytes = 0;

  constructor(files: FileStore) {
    this.#files = files;
  }

  get counts(): ReadCounts {
    return { readCount: this.#readCount, readBytes: this.#readBytes };
  }

  async open(location: string): Promise<ByteSource> {
    return new CountedSource(await this.#files.open(location), (sizeBytes) => {
      this.#readCount++;
      this.#readBytes += sizeBytes;
    });
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

class CountedSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #onRead: (sizeBytes: number) => void;

  constructor(source: ByteSource, onRead: (sizeBytes: number) => void) {
    this.#source = source;
    this.#onRead = onRead;
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

  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#onRead(lengthBytes);
    return this.#source.read(offsetBytes, lengthBytes);
  }

  verify(): Promise<void> {
    return this.#source.verify();
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
