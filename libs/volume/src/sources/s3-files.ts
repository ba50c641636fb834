/**
 * Files of an S3-compatible bucket, `s3://bucket/key`, through Amazon's SDK, which is loaded when the first one is opened:
 * credentials and region come from where the SDK finds them (environment, profile, role). Each read names the ETag of the
 * object that was opened, so an object that is replaced is noticed and never mixed with its successor. The SDK itself
 * tries again what may pass.
 */
import type * as S3Sdk from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { BadImageError, MissingImageError } from '../errors.ts';
import { assertInSource, type ByteSource, type FileStore, type FolderListing } from './byte-source.ts';

export interface S3FilesOptions {
  /** Address of a server other than Amazon's. Its buckets are asked for by path: `endpoint/bucket/key`. */
  readonly endpoint?: string;
  /** Default: what the SDK finds; `us-east-1` with an endpoint of one's own. */
  readonly region?: string;
  /** Default: what the SDK finds. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** How often a request is sent in all before it has failed. Default 5. */
  readonly attempts?: number;
  /** A request without an answer by then has failed, ms. Default 30,000. */
  readonly timeoutMs?: number;
}

type S3Module = typeof S3Sdk;

interface Connection {
  readonly client: S3Client;
  readonly sdk: S3Module;
}

interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
}

// The first answer brings a whole header, as with HTTP.
const FIRST_READ_BYTES = 65_536;
const CONTENT_RANGE = /^bytes \d+-\d+\/(\d+)$/;

function placeOf(location: string): ObjectPlace {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(location) ?? [];
  if (bucket === undefined) {
    throw new MissingImageError('it must be s3://BUCKET/KEY', { path: location });
  }
  return { bucket, key };
}

function statusOf(error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | undefined)?.$metadata
    ?.httpStatusCode;
}

/** An error of the SDK as one that says what to do. Its own text may hold a request, so only its name is shown. */
function toFileError(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const status = statusOf(error);
  if (status === 412) return changed(path);
  const answer = status === undefined ? error.message : `the server answered ${status} ${error.name}`;
  return new MissingImageError(answer, { path, cause: error });
}

function changed(path: string): BadImageError {
  return new BadImageError('the file must stay as it was, it was replaced after it was opened', {
    path,
    part: 'data',
  });
}

async function bodyOf({ Body: body }: GetObjectCommandOutput): Promise<Uint8Array<ArrayBuffer>> {
  // A copy: the SDK's bytes may be a view of a larger buffer.
  return Uint8Array.from((await body?.transformToByteArray()) ?? []);
}

class S3Object implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly revision: string;
  readonly #store: S3Files;
  readonly #start: Uint8Array<ArrayBuffer>;
  readonly #etag: string | undefined;

  constructor(
    name: string,
    store: S3Files,
    start: { bytes: Uint8Array<ArrayBuffer>; sizeBytes: number; etag: string | undefined },
  ) {
    this.name = name;
    this.sizeBytes = start.sizeBytes;
    this.revision = `${start.sizeBytes}@${start.etag ?? ''}`;
    this.#store = store;
    this.#start = start.bytes;
    this.#etag = start.etag;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    assertInSource(this, offsetBytes, lengthBytes);
    const end = offsetBytes + lengthBytes;
    if (end <= this.#start.length) return this.#start.slice(offsetBytes, end);
    const output = await this.#store.getRange(this.name, [offsetBytes, end - 1], this.#etag);
    const bytes = await bodyOf(output).catch((error: unknown) => {
      throw toFileError(error, this.name);
    });
    if (bytes.length !== lengthBytes) throw changed(this.name);
    return bytes;
  }

  // Each request names the ETag of the object that was opened.
  verify(): Promise<void> {
    return Promise.resolve();
  }

  // Connections belong to the SDK's client.
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Objects of buckets. A folder is what keys have in common up to a `/`. */
export class S3Files implements FileStore {
  readonly #options: S3FilesOptions;
  #connecting: Promise<Connection> | undefined;

  constructor(options: S3FilesOptions = {}) {
    this.#options = options;
  }

  async open(location: string): Promise<ByteSource> {
    const output = await this.getRange(location, [0, FIRST_READ_BYTES - 1]).catch((error: unknown) => {
      // Nothing can be read of an empty object, not even its first byte.
      if (error instanceof MissingImageError && statusOf(error.cause) === 416) return undefined;
      throw error;
    });
    if (output === undefined) {
      return new S3Object(location, this, { bytes: new Uint8Array(0), sizeBytes: 0, etag: undefined });
    }
    const bytes = await bodyOf(output).catch((error: unknown) => {
      throw toFileError(error, location);
    });
    const [, size] = CONTENT_RANGE.exec(output.ContentRange ?? '') ?? [];
    if (size === undefined) {
      throw new MissingImageError('the server must answer range requests with the range it sends', {
        path: location,
      });
    }
    return new S3Object(location, this, { bytes, sizeBytes: Number(size), etag: output.ETag });
  }

  beside(location: string, name: string): string {
    return location.slice(0, location.lastIndexOf('/') + 1) + name;
  }

  inside(location: string, name: string): string {
    return `${location.replace(/\/+$/, '')}/${name}`;
  }

  nameOf(location: string): string {
    return location;
  }

  async list(location: string): Promise<FolderListing | undefined> {
    const { bucket, key } = placeOf(location);
    const prefix = key === '' ? '' : `${key.replace(/\/+$/, '')}/`;
    const { client, sdk } = await this.#connect();
    const files: string[] = [];
    const folders: string[] = [];
    try {
      const pages = sdk.paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix, Delimiter: '/' });
      for await (const { Contents: objects = [], CommonPrefixes: prefixes = [] } of pages) {
        files.push(...objects.map((object) => (object.Key ?? '').slice(prefix.length)));
        folders.push(...prefixes.map((common) => (common.Prefix ?? '').slice(prefix.length, -1)));
      }
    } catch (error) {
      throw toFileError(error, location);
    }
    // An object of the folder's own name is what some tools put there for an empty one.
    const names = files.filter((name) => name !== '');
    if (names.length === 0 && folders.length === 0) {
      throw new MissingImageError('no such file', { path: location, isAbsent: true });
    }
    return { files: names.sort(), folders: folders.sort() };
  }

  /** Bytes `first` to `last` of the object that had `etag`. Only `S3Object` calls this. */
  async getRange(
    location: string,
    [first, last]: readonly [number, number],
    etag?: string,
  ): Promise<GetObjectCommandOutput> {
    const { bucket, key } = placeOf(location);
    const { client, sdk } = await this.#connect();
    const range = { Bucket: bucket, Key: key, Range: `bytes=${first}-${last}` };
    try {
      return await client.send(
        new sdk.GetObjectCommand(etag === undefined ? range : { ...range, IfMatch: etag }),
      );
    } catch (error) {
      if (statusOf(error) === 404) {
        throw new MissingImageError('no such file', { path: location, isAbsent: true, cause: error });
      }
      throw toFileError(error, location);
    }
  }

  #connect(): Promise<Connection> {
    this.#connecting ??= this.#load();
    return this.#connecting;
  }

  async #load(): Promise<Connection> {
    const sdk = await import('@aws-sdk/client-s3');
    const { endpoint, region, credentials, attempts = 5, timeoutMs = 30_000 } = this.#options;
    const client = new sdk.S3Client({
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: region ?? 'us-east-1' }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined ? {} : { credentials }),
      maxAttempts: attempts,
      requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs },
      // Servers other than Amazon's send none, and a range has none.
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return { client, sdk };
  }
}
