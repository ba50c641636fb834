/** Files wherever they lie: the location says by its beginning whether on this machine, a web server or in a bucket. */
import type { ByteSource, FileStore, FolderListing } from './byte-source.ts';
import { HttpFiles, type HttpFilesOptions } from './http-files.ts';
import { LocalFiles, type LocalFilesOptions } from './local-files.ts';
import { S3Files, type S3FilesOptions } from './s3-files.ts';

export interface PlaceFilesOptions {
  readonly local?: LocalFilesOptions;
  readonly http?: HttpFilesOptions;
  readonly s3?: S3FilesOptions;
}

/** `http://`, `https://` and `s3://` locations, and paths of this machine. */
export class PlaceFiles implements FileStore {
  readonly #local: FileStore;
  readonly #http: FileStore;
  readonly #s3: FileStore;

  constructor({ local, http, s3 }: PlaceFilesOptions = {}) {
    this.#local = new LocalFiles(local);
    this.#http = new HttpFiles(http);
    this.#s3 = new S3Files(s3);
  }

  open(location: string): Promise<ByteSource> {
    return this.#of(location).open(location);
  }

  beside(location: string, name: string): string {
    return this.#of(location).beside(location, name);
  }

  inside(location: string, name: string): string {
    return this.#of(location).inside(location, name);
  }

  nameOf(location: string): string {
    return this.#of(location).nameOf(location);
  }

  list(location: string): Promise<FolderListing | undefined> {
    return this.#of(location).list(location);
  }

  #of(location: string): FileStore {
    if (/^https?:\/\//i.test(location)) return this.#http;
    return /^s3:\/\//i.test(location) ? this.#s3 : this.#local;
  }
}
