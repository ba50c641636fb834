/**
 * Real servers on loopback that serve a folder, as scans lie on web servers and in buckets: range requests, validators,
 * conditions. They know only what readers of scans need.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';

/** A server that is running. */
export interface FileServer {
  /** Address of the folder: `http://…` of a web server, `http://host:port` of an S3 server. */
  readonly address: string;
  /** Requests answered so far, as "GET /path bytes=0-9". */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | string;
}

async function start(
  answer: (request: IncomingMessage, path: string) => Promise<Answer>,
): Promise<FileServer> {
  const requests: string[] = [];
  const reply = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push([request.method, request.url, request.headers.range].filter(Boolean).join(' '));
    const path = decodeURIComponent(new URL(request.url!, 'http://any').pathname);
    const { status, headers = {}, body = '' } = await answer(request, path);
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
  };
  const server = createServer((request, response) => {
    reply(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The part of `content` that the request asks for, under the conditions it names. */
function rangeAnswer({ headers }: IncomingMessage, content: Buffer): Answer {
  const etag = `"${createHash('md5').update(content).digest('hex')}"`;
  const wanted = headers['if-match'];
  if (wanted !== undefined && wanted !== etag) return { status: 412 };
  const condition = headers['if-range'];
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  if (first === undefined || (condition !== undefined && condition !== etag)) {
    return { status: 200, headers: { etag }, body: content };
  }
  const start = Number(first);
  if (start >= content.length) {
    return { status: 416, headers: { 'content-range': `bytes */${content.length}` } };
  }
  const end = Math.min(Number(last), content.length - 1);
  return {
    status: 206,
    headers: { etag, 'content-range': `bytes ${start}-${end}/${content.length}` },
    body: content.subarray(start, end + 1),
  };
}

async function readOrNothing(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(() => undefined);
}

/** A web server that serves the files below `folder` by range requests. It lists no folders. */
export function startFileServer(folder: string): Promise<FileServer> {
  return start(async (request, path) => {
    const content = await readOrNothing(join(folder, path));
    return content === undefined ? { status: 404 } : rangeAnswer(request, content);
  });
}

const PAGE_KEYS = 100;

/** Keys of all files below `folder`, sorted. */
async function keysOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
}

function errorAnswer(status: number, code: string): Answer {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

/** A page of ListObjectsV2 with the delimiter "/", as S3's API reference has it. */
function listAnswer(keys: readonly string[], query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const entries = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const slash = key.indexOf('/', prefix.length);
    entries.add(slash === -1 ? key : key.slice(0, slash + 1));
  }
  const left = [...entries].filter((entry) => entry > after);
  const page = left.slice(0, PAGE_KEYS);
  const isCut = left.length > page.length;
  const xml = page.map((entry) =>
    entry.endsWith('/')
      ? `<CommonPrefixes><Prefix>${entry}</Prefix></CommonPrefixes>`
      : `<Contents><Key>${entry}</Key></Contents>`,
  );
  const next = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${xml.join('')}</ListBucketResult>`,
  };
}

/** Serves the files below `folder` as the bucket `bucket`, by the calls GetObject and ListObjectsV2. Requests must be signed. */
export function startS3Server(folder: string, bucket: string): Promise<FileServer> {
  return start(async (request, path) => {
    if (!/^AWS4-HMAC-SHA256 Credential=/.test(request.headers.authorization ?? '')) {
      return errorAnswer(403, 'AccessDenied');
    }
    const [, name, key = ''] = /^\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    if (name !== bucket) return errorAnswer(404, 'NoSuchBucket');
    const query = new URL(request.url!, 'http://any').searchParams;
    if (query.get('list-type') === '2') return listAnswer(await keysOf(folder), query);
    const content = await readOrNothing(join(folder, key));
    if (content === undefined) return errorAnswer(404, 'NoSuchKey');
    const answer = rangeAnswer(request, content);
    if (answer.status === 412) return errorAnswer(412, 'PreconditionFailed');
    return answer.status === 416 ? errorAnswer(416, 'InvalidRange') : answer;
  });
}
