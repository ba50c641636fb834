import { withTemporaryFolder } from '@lunastream/testing';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { irc, voxelCount, xyzMm } from '../coordinates.ts';
import { cropChunk } from '../crop-chunk.ts';
import { BadImageError, MissingImageError } from '../errors.ts';
import { IDENTITY_DIRECTION } from '../geometry.ts';
import { openVolume, readChunk, readVolume } from '../volume-reader.ts';
import type { Volume } from '../volume.ts';
import { writeMetaImage } from '../metaimage/write-metaimage.ts';
import { HttpFiles } from './http-files.ts';

const CONTENT = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) % 251));
const files = new HttpFiles({ retries: 2, firstRetryAfterMs: 1, timeoutMs: 2000 });

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** Runs `use` with the address of a server on loopback, which is gone afterwards. */
async function withServer<Result>(
  handle: Handler,
  use: (address: string) => Promise<Result>,
): Promise<Result> {
  let count = 0;
  const server = createServer((request, response) => handle(request, response, count++));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/scan.raw`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function rangeOf(request: IncomingMessage, size: number): { readonly first: number; readonly last: number } {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  return { first: Number(first), last: Math.min(Number(last), size - 1) };
}

/** What a good server does, If-Range included. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer = CONTENT,
  etag = '"v1"',
): void {
  const { first, last } = rangeOf(request, content.length);
  const condition = request.headers['if-range'];
  if (condition !== undefined && condition !== etag) {
    response.writeHead(200, { etag, 'content-length': content.length }).end(content);
  } else if (first >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
  } else {
    const headers = { etag, 'content-range': `bytes ${first}-${last}/${content.length}` };
    response.writeHead(206, headers).end(content.subarray(first, last + 1));
  }
}

describe('HttpFiles', () => {
  it('reads ranges; those of the first 64 kB cost one request together', async () => {
    const ranges: (string | undefined)[] = [];
    await withServer(
      (request, response) => {
        ranges.push(request.headers.range);
        serve(request, response);
      },
      async (address) => {
        const source = await files.open(address);
        expect(source.sizeBytes).toBe(CONTENT.length);
        expect(Buffer.from(await source.read(10, 20))).toEqual(CONTENT.subarray(10, 30));
        const bytes = await source.read(65_000, 70_000);
        expect(CONTENT.subarray(65_000, 135_000).equals(bytes)).toBe(true);
        expect(bytes.buffer.byteLength).toBe(70_000);
        await expect(source.read(199_999, 2)).rejects.toThrow(RangeError);
        await source.close();
      },
    );
    expect(ranges).toEqual(['bytes=0-65535', 'bytes=65000-134999']);
  });

  it('reads chunks of a scan as they are in the file, few bytes each', async () => {
    const shape = { depth: 20, height: 64, width: 64 };
    const volume: Volume = {
      geometry: {
        shape,
        originXyzMm: xyzMm(1, 2, 3),
        spacingXyzMm: xyzMm(1, 1, 2),
        direction: IDENTITY_DIRECTION,
      },
      voxelsHu: Int16Array.from(
        { length: voxelCount(shape) },
        (_, offset) => ((offset * 7919) % 2000) - 1000,
      ),
    };
    await withTemporaryFolder(async (folder) => {
      await writeMetaImage(join(folder, 'scan.mhd'), volume);
      let sentBytes = 0;
      await withServer(
        (request, response) => {
          void readFile(join(folder, request.url!.split('?')[0]!)).then((content) => {
            const { first, last } = rangeOf(request, content.length);
            sentBytes += last - first + 1;
            serve(request, response, content, `"${request.url!}"`);
          });
        },
        async (address) => {
          const location = `${address.replace('.raw', '.mhd')}?signature=secret`;
          const reader = await openVolume(location, { files });
          const chunkShape = { depth: 4, height: 8, width: 8 };
          const before = sentBytes;
          const chunk = await readChunk(reader, irc(15, 40, 20), chunkShape);
          expect(chunk).toEqual(cropChunk(volume, irc(15, 40, 20), chunkShape));
          expect(sentBytes - before).toBe(4 * (7 * 64 + 8) * 2);
          await reader.close();
          expect(await readVolume(location, { files })).toEqual(volume);
        },
      );
    });
  });

  it('tries again after 5xx, 429, a lost connection and a body that is cut short', async () => {
    const failures: Handler[] = [
      (_, response) => response.writeHead(503).end('busy'),
      (_, response) => response.writeHead(429).end(),
      (request) => request.socket.destroy(),
      (request, response) => {
        const { first, last } = rangeOf(request, CONTENT.length);
        response.writeHead(206, {
          etag: '"v1"',
          'content-range': `bytes ${first}-${last}/${CONTENT.length}`,
        });
        response.end(CONTENT.subarray(first, last - 5));
      },
      (request, response) => {
        const { first, last } = rangeOf(request, CONTENT.length);
        const headers = { etag: '"v1"', 'content-range': `bytes ${first}-${last}/${CONTENT.length}` };
        response.writeHead(206, { ...headers, 'content-length': last + 1 - first });
        response.write(CONTENT.subarray(first, first + 10), () => response.destroy());
      },
    ];
    for (const fail of failures) {
      const handle: Handler = (request, response, count) =>
        count % 2 === 0 ? fail(request, response, count) : serve(request, response);
      await withServer(handle, async (address) => {
        const source = await files.open(address);
        expect(CONTENT.subarray(100_000, 100_100).equals(await source.read(100_000, 100))).toBe(true);
      });
    }
  });

  it('gives up after its retries and says with what', async () => {
    let requests = 0;
    const handle: Handler = (_, response) => {
      requests++;
      response.writeHead(500).end();
    };
    await withServer(handle, async (address) => {
      await expect(files.open(`${address}?signature=secret`)).rejects.toThrow(
        `Cannot open ${address}: the server failed 3 times, at last with: status 500`,
      );
    });
    expect(requests).toBe(3);
  });

  it('gives up on a server that never answers', async () => {
    const hasty = new HttpFiles({ retries: 0, timeoutMs: 20 });
    await withServer(
      () => undefined,
      async (address) => {
        await expect(hasty.open(address)).rejects.toThrow(/the server failed 1 times/);
      },
    );
    const address = await withServer(
      () => undefined,
      (gone) => Promise.resolve(gone),
    );
    await expect(hasty.open(address)).rejects.toThrow(MissingImageError);
  });

  it.each([404, 403, 410])('does not try again after %i', async (status) => {
    let requests = 0;
    const handle: Handler = (_, response) => {
      requests++;
      response.writeHead(status).end();
    };
    await withServer(handle, async (address) => {
      await expect(files.open(address)).rejects.toThrow(
        `Cannot open ${address}: the server answered ${status}`,
      );
    });
    expect(requests).toBe(1);
  });

  it.each([
    ['by If-Range', serve],
    [
      'although the server knows no If-Range',
      (request: IncomingMessage, response: ServerResponse, content: Buffer, etag: string) => {
        delete request.headers['if-range'];
        serve(request, response, content, etag);
      },
    ],
  ])('notices a file that is replaced under it, %s', async (_, answer) => {
    let etag = '"v1"';
    await withServer(
      (request, response) => answer(request, response, CONTENT, etag),
      async (address) => {
        const source = await files.open(address);
        await source.read(100_000, 10);
        etag = '"v2"';
        const failure: unknown = await source.read(100_000, 10).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(BadImageError);
        expect((failure as Error).message).toContain('it was replaced after it was opened');
      },
    );
  });

  it('notices a file of another length where the server gives no validator', async () => {
    let content: Buffer = CONTENT;
    await withServer(
      (request, response) => {
        const { first, last } = rangeOf(request, content.length);
        response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${content.length}` });
        response.end(content.subarray(first, last + 1));
      },
      async (address) => {
        const source = await files.open(address);
        content = CONTENT.subarray(0, 150_000);
        await expect(source.read(100_000, 10)).rejects.toThrow('must have 200000 bytes, got 150000');
      },
    );
  });

  it('takes a small file from a server without ranges, and refuses a large one without reading it', async () => {
    const small = CONTENT.subarray(0, 500);
    await withServer(
      (_, response) => response.writeHead(200, { 'content-length': small.length }).end(small),
      async (address) => {
        const source = await files.open(address);
        expect(small.equals(await source.read(0, source.sizeBytes))).toBe(true);
      },
    );
    let sentBytes = 0;
    await withServer(
      (_, response) => {
        response.writeHead(200);
        const send = () => {
          while (!response.destroyed && sentBytes < 1e9) {
            sentBytes += CONTENT.length;
            if (!response.write(CONTENT)) return;
          }
          response.end();
        };
        response.on('drain', send);
        send();
      },
      async (address) => {
        await expect(files.open(address)).rejects.toThrow(
          'the server must answer range requests (status 206)',
        );
      },
    );
    expect(sentBytes).toBeLessThan(1e8);
  });

  it.each([
    ['another range', 'bytes 5-9/200000'],
    ['a range that makes no sense', 'bytes 9-5/200000'],
    ['none', undefined],
  ])('refuses an answer with %s', async (_, range) => {
    await withServer(
      (__, response) =>
        response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end('12345'),
      async (address) => {
        await expect(files.open(address)).rejects.toThrow('got another range');
      },
    );
  });

  it('opens an empty file', async () => {
    await withServer(
      (request, response) => serve(request, response, Buffer.alloc(0)),
      async (address) => {
        expect((await files.open(address)).sizeBytes).toBe(0);
      },
    );
  });

  it('finds what lies beside a header, whatever its name holds, and keeps the query', () => {
    expect(files.beside('https://host/a/b.mhd?key=1', 'deep/ü 1%.raw')).toBe(
      'https://host/a/deep/%C3%BC%201%25.raw?key=1',
    );
  });

  it('signs requests by the fetch it is given', async () => {
    const signed = new HttpFiles({
      fetch: (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set('authorization', 'signed');
        return fetch(input, { ...init, headers });
      },
    });
    await withServer(
      (request, response) => {
        if (request.headers.authorization === 'signed') serve(request, response);
        else response.writeHead(403).end();
      },
      async (address) => {
        expect((await signed.open(address)).sizeBytes).toBe(CONTENT.length);
        await expect(files.open(address)).rejects.toThrow('answered 403');
      },
    );
  });
});
