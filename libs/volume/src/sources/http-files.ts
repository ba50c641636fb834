/**
 * Files of a web server, read by range requests (RFC 9110, sections 13 and 14). A bucket is the same with signed
 * requests: hand in a `fetch` that signs. What is tried again is what may pass: lost connections, answers cut short,
 * 408, 429 and 5xx. The file's validator (a strong ETag, else Last-Modified) goes with each request, so a file that is
 * replaced between two of them is noticed and never mixed with its successor.
 */
import pRetry from 'p-retry';
import { BadImageError, MissingImageError } from '../errors.ts';
import { assertInSource, type ByteSource, type FileStore } from './byte-source.ts';

export interface HttpFilesOptions {
  /** Sends requests. Default: Node's own. */
  readonly fetch?: typeof fetch;
  /** How often a request that failed is sent again. Default 4. */
  readonly retries?: number;
  /** Wait before the first retry, ms; doubled for each further one, up to 10 s. Default 200. */
  readonly firstRetryAfterMs?: number;
  /** A request without a whole answer by then has failed, ms. Default 30,000. */
  readonly timeoutMs?: number;
}

type Settings = Required<HttpFilesOptions>;

// The first answer brings a whole header; of a larger file it is kept, as the header is read from it.
const FIRST_READ_BYTES = 65_536;
const LONGEST_WAIT_MS = 10_000;
const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

/** An address as messages may show it: user names, passwords and signatures stay out. */
function toPublicName(address: string): string {
  const url = new URL(address);
  return `${url.origin}${url.pathname}`;
}

function mayPass(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** The answer to "bytes from..to": its bytes, and what it says of the whole file. */
interface RangeAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sizeBytes: number;
  readonly validator: string | undefined;
}

function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  // A weak ETag may stay while bytes change; If-Range forbids it.
  if (etag !== null && !etag.startsWith('W/')) return etag;
  return headers.get('last-modified') ?? undefined;
}

async function readBody(response: Response, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part as Uint8Array);
    length += (part as Uint8Array).length;
    // Leaving the loop cancels the rest of the body.
    if (length > limitBytes) break;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

class RangeRequest {
  readonly #address: string;
  readonly #name: string;
  readonly #settings: Settings;

  constructor(address: string, settings: Settings) {
    this.#address = address;
    this.#name = toPublicName(address);
    this.#settings = settings;
  }

  /** Asks for `lengthBytes` from `offsetBytes`, of the file that had `validator`; fewer come only at the file's end. */
  async send(offsetBytes: number, lengthBytes: number, validator?: string): Promise<RangeAnswer> {
    const { retries, firstRetryAfterMs } = this.#settings;
    let fault = 'no answer';
    try {
      return await pRetry(() => this.#attempt(offsetBytes, lengthBytes, validator), {
        retries,
        minTimeout: firstRetryAfterMs,
        maxTimeout: LONGEST_WAIT_MS,
        shouldRetry: ({ error }) => !(error instanceof BadImageError || error instanceof MissingImageError),
        onFailedAttempt: ({ error }) => {
          fault = error.message;
        },
      });
    } catch (error) {
      if (error instanceof BadImageError || error instanceof MissingImageError) throw error;
      throw new MissingImageError(`the server failed ${retries + 1} times, at last with: ${fault}`, {
        path: this.#name,
      });
    }
  }

  async #attempt(offsetBytes: number, lengthBytes: number, validator?: string): Promise<RangeAnswer> {
    const response = await this.#fetch({
      range: `bytes=${offsetBytes}-${offsetBytes + lengthBytes - 1}`,
      // A body that is compressed on the way has other offsets.
      'accept-encoding': 'identity',
      ...(validator === undefined ? {} : { 'if-range': validator }),
    });
    try {
      return await this.#readAnswer(response, offsetBytes, lengthBytes, validator);
    } finally {
      await response.body?.cancel().catch(() => undefined);
    }
  }

  async #fetch(headers: Record<string, string>): Promise<Response> {
    const { fetch, timeoutMs } = this.#settings;
    try {
      return await fetch(this.#address, { headers, signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      // Node's message is "fetch failed"; the reason is its cause. Neither holds more than host and port.
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Error(reason instanceof Error ? reason.message : 'no connection', { cause: error });
    }
  }

  async #readAnswer(
    response: Response,
    offsetBytes: number,
    lengthBytes: number,
    validator: string | undefined,
  ): Promise<RangeAnswer> {
    const { status } = response;
    if (mayPass(status)) throw new Error(`status ${status}`);
    if (
      validator !== undefined &&
      (status === 200 || status === 416 || validatorOf(response.headers) !== validator)
    ) {
      throw this.#changed();
    }
    if (status === 416 && offsetBytes === 0)
      return { bytes: new Uint8Array(0), sizeBytes: 0, validator: undefined };
    if (status === 200) return this.#readWhole(response, lengthBytes);
    if (status !== 206) {
      throw new MissingImageError(`the server answered ${status}`, {
        path: this.#name,
        isAbsent: status === 404 || status === 410,
      });
    }
    const [, first, last, size] = CONTENT_RANGE.exec(response.headers.get('content-range') ?? '') ?? [];
    const expectedLast = Math.min(offsetBytes + lengthBytes, Number(size)) - 1;
    if (Number(first) !== offsetBytes || Number(last) !== expectedLast) {
      throw new MissingImageError(
        `the server must answer with the bytes it was asked for (${offsetBytes} to ${expectedLast}), got another range`,
        { path: this.#name },
      );
    }
    const expectedLength = expectedLast + 1 - offsetBytes;
    const bytes = await readBody(response, expectedLength);
    if (bytes.length !== expectedLength) {
      throw new Error(`a body of ${bytes.length} bytes for a range of ${expectedLength}`);
    }
    return { bytes, sizeBytes: Number(size), validator: validatorOf(response.headers) };
  }

  /** A server without ranges sends the whole file: good for a small header, not for a scan. */
  async #readWhole(response: Response, limitBytes: number): Promise<RangeAnswer> {
    const bytes = await readBody(response, limitBytes);
    if (bytes.length > limitBytes) {
      throw new MissingImageError(
        'the server must answer range requests (status 206): without them each chunk would cost a whole scan, got 200',
        { path: this.#name },
      );
    }
    const promised = response.headers.get('content-length');
    if (promised !== null && Number(promised) !== bytes.length) {
      throw new Error(`a body of ${bytes.length} bytes where ${promised} were promised`);
    }
    return { bytes, sizeBytes: bytes.length, validator: validatorOf(response.headers) };
  }

  #changed(): BadImageError {
    return new BadImageError('the file must stay as it was, it was replaced after it was opened', {
      path: this.#name,
      part: 'data',
    });
  }
}

class HttpFile implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly revision: string;
  readonly #request: RangeRequest;
  readonly #start: RangeAnswer;

  constructor(address: string, request: RangeRequest, start: RangeAnswer) {
    this.name = toPublicName(address);
    this.sizeBytes = start.sizeBytes;
    this.revision = `${start.sizeBytes}@${start.validator ?? ''}`;
    this.#request = request;
    this.#start = start;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    assertInSource(this, offsetBytes, lengthBytes);
    const end = offsetBytes + lengthBytes;
    if (end <= this.#start.bytes.length) return this.#start.bytes.slice(offsetBytes, end);
    const answer = await this.#request.send(offsetBytes, lengthBytes, this.#start.validator);
    if (answer.sizeBytes !== this.sizeBytes || answer.bytes.length !== lengthBytes) {
      throw new BadImageError(
        `the file must have ${this.sizeBytes} bytes, got ${answer.sizeBytes}: it was replaced after it was opened`,
        { path: this.name, part: 'data' },
      );
    }
    return answer.bytes;
  }

  // Each request names the validator of the file that was opened.
  verify(): Promise<void> {
    return Promise.resolve();
  }

  // Connections belong to `fetch`, which pools them.
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The query stays: it may be what opens the server's door. */
function withPath(url: URL, folder: string, name: string): string {
  url.pathname = folder + name.split('/').map(encodeURIComponent).join('/');
  return url.href;
}

/** Files of an HTTP or HTTPS server; locations are addresses. It lists no folders, so a DICOM series can't lie there. */
export class HttpFiles implements FileStore {
  readonly #settings: Settings;

  constructor(options: HttpFilesOptions = {}) {
    this.#settings = { fetch, retries: 4, firstRetryAfterMs: 200, timeoutMs: 30_000, ...options };
  }

  async open(location: string): Promise<ByteSource> {
    const request = new RangeRequest(location, this.#settings);
    return new HttpFile(location, request, await request.send(0, FIRST_READ_BYTES));
  }

  beside(location: string, name: string): string {
    const url = new URL(location);
    return withPath(url, url.pathname.slice(0, url.pathname.lastIndexOf('/') + 1), name);
  }

  inside(location: string, name: string): string {
    const url = new URL(location);
    return withPath(url, `${url.pathname.replace(/\/+$/, '')}/`, name);
  }

  nameOf(location: string): string {
    return toPublicName(location);
  }

  list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
