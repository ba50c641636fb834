import { Metadata, type handleServerStreamingCall } from '@grpc/grpc-js';
import {
  DatasetServiceService,
  type ListCandidatesRequest,
  type ListCandidatesResponse,
} from '@lunastream/contracts';
import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bulkClient, listed, listWith, pagesUpTo } from '../../test/bulk-calls.ts';
import { datasetService, page, type DatasetAnswers } from '../../test/dataset-service.ts';
import { InsecureConnectionError, LOOPBACK_ONLY } from '../connection-security.ts';
import { createBulkClient, MAX_MESSAGE_BYTES } from '../grpc-client.ts';
import { RequestError } from '../request-error.ts';
import { failureOf, startInProcessServer } from '../testing/index.ts';
import { BulkClient, type BulkClientOptions } from './bulk-client.ts';

const addressOf = (server: Server | ReturnType<typeof createHttp2Server>) =>
  `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A client with limits of its own. */
function limitedClient(address: string, limits: Partial<BulkClientOptions['limits']>): BulkClient {
  const client = new BulkClient({
    ...{ address, security: LOOPBACK_ONLY, serverName: undefined },
    limits: {
      ...{ windowBytes: 2 ** 16, maxMessageBytes: MAX_MESSAGE_BYTES },
      ...{ keepaliveTimeMs: 20_000, keepaliveTimeoutMs: 10_000, ...limits },
    },
  });
  onTestFinished(() => client.close());
  return client;
}

async function serve(answers: DatasetAnswers) {
  const server = await startInProcessServer(datasetService(answers));
  onTestFinished(() => server.stop());
  return server;
}

/** A stream that sends one page and then waits for its end. */
function openEnded() {
  let settle!: () => void;
  const aborted = new Promise<void>((resolve) => (settle = resolve));
  const answers = listed(async function* (_request, signal) {
    signal.addEventListener('abort', settle);
    yield page(1);
    await aborted;
  });
  return { answers, aborted };
}

/** A server that answers whoever connects with these bytes, or as `answer` likes. */
async function rawServer(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    answer(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return addressOf(server);
}

/** Connects `socket` with the server at `address`. */
function passOn(socket: Socket, address: string): void {
  const [host, port] = address.split(':');
  const inner = connect(Number(port), host);
  inner.on('error', () => undefined);
  socket.pipe(inner).pipe(socket);
  socket.on('close', () => inner.destroy());
}

describe('a BulkClient', () => {
  it('gives every message of a stream, small and large, several streams at a time', async () => {
    const { address } = await serve(listed(({ dataset }) => pagesUpTo(20, Number(dataset))));
    const client = bulkClient(address);
    const sizes = [0, 1, 16_384, 300_000];
    const calls = sizes.map((sizeBytes) => listWith(client, String(sizeBytes)));
    for (const [index, { whole, pages }] of calls.entries()) {
      expect(await whole).toEqual(Array.from({ length: 20 }, (_, number) => number + 1));
      expect(new Set(pages.map(({ candidates }) => candidates[0]!.patientId.length))).toEqual(
        new Set([sizes[index]]),
      );
    }
  });

  it('takes far more than a window, on stream after stream', async () => {
    const { address } = await serve(listed(() => pagesUpTo(30, 100_000)));
    const client = limitedClient(address, { windowBytes: 2 ** 16 });
    for (let turn = 0; turn < 3; turn++) expect((await listWith(client).whole).length).toBe(30);
  });

  it('gives messages without bytes', async () => {
    const listCandidates: handleServerStreamingCall<ListCandidatesRequest, ListCandidatesResponse> = (
      call,
    ) => {
      call.write({ candidates: [] });
      call.write({ candidates: [] });
      call.end();
    };
    const server = await startInProcessServer(() => [
      { definition: DatasetServiceService, implementation: { listCandidates } },
    ]);
    onTestFinished(() => server.stop());
    const { pages, whole } = listWith(bulkClient(server.address));
    await whole;
    expect(pages).toEqual([{ candidates: [] }, { candidates: [] }]);
  });

  it.each([0, 2])('ends with the status of the server and its details, after %i messages', async (count) => {
    const { address } = await serve(
      listed(async function* () {
        yield* pagesUpTo(count);
        throw new RequestError('not-found', 'no scan "ä", 100 % sure');
      }),
    );
    const { whole, pages } = listWith(bulkClient(address));
    expect(await failureOf(whole)).toEqual({ status: 'NOT_FOUND', details: 'no scan "ä", 100 % sure' });
    expect(pages.length).toBe(count);
  });

  it('carries the metadata of the call and no other names than gRPC allows', async () => {
    let metadata = new Metadata();
    const listCandidates: handleServerStreamingCall<ListCandidatesRequest, ListCandidatesResponse> = (
      call,
    ) => {
      ({ metadata } = call);
      call.end();
    };
    const server = await startInProcessServer(() => [
      { definition: DatasetServiceService, implementation: { listCandidates } },
    ]);
    onTestFinished(() => server.stop());
    await listWith(bulkClient(server.address)).whole;
    expect(metadata.get('user-agent')).toEqual(['lunastream']);
  });

  it('tells the server of a cancel, and its receiver nothing more', async () => {
    const { answers, aborted } = openEnded();
    const { address } = await serve(answers);
    const client = bulkClient(address);
    const first = listWith(client, 'luna', () => {
      first.call.cancel();
      first.call.cancel();
    });
    await aborted;
    expect(first.pages.length).toBe(1);
  });

  it('cancels a call that has not begun', async () => {
    const { address } = await serve(listed(() => pagesUpTo(2)));
    const client = bulkClient(address);
    const early = listWith(client);
    early.call.cancel();
    expect(await listWith(client).whole).toEqual([1, 2]);
    expect(early.pages).toEqual([]);
  });

  it('refuses a message above the limit, and goes on', async () => {
    const { address } = await serve(
      listed(({ dataset }) => pagesUpTo(1, dataset === 'large' ? MAX_MESSAGE_BYTES : 10)),
    );
    const client = bulkClient(address);
    expect(await failureOf(listWith(client, 'large').whole)).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
    expect(await listWith(client).whole).toEqual([1]);
  });

  it('makes INTERNAL of what its receiver throws, and cancels the call', async () => {
    const { answers, aborted } = openEnded();
    const { address } = await serve(answers);
    const { whole } = listWith(bulkClient(address), 'luna', () => {
      throw new RangeError('no page');
    });
    expect(await failureOf(whole)).toEqual({
      status: 'INTERNAL',
      details: 'Cannot read a message: no page',
    });
    await aborted;
  });

  it('ends calls under way when it is closed, and takes no new ones', async () => {
    const { answers, aborted } = openEnded();
    const { address } = await serve(answers);
    const client = bulkClient(address);
    const { whole } = listWith(client, 'luna', () => client.close());
    expect((await failureOf(whole)).status).toBe('CANCELLED');
    await aborted;
    expect((await failureOf(listWith(client).whole)).status).toBe('UNAVAILABLE');
  });

  it('connects no further than this machine without TLS', () => {
    expect(() => createBulkClient('10.1.2.3:50052')).toThrow(InsecureConnectionError);
  });
});

describe('a BulkClient whose server goes away', () => {
  it('ends as UNAVAILABLE where nobody listens', async () => {
    const { address, stop } = await serve(listed(() => pagesUpTo(2)));
    const client = bulkClient(address);
    expect(await listWith(client).whole).toEqual([1, 2]);
    await stop();
    expect((await failureOf(listWith(client).whole)).status).toBe('UNAVAILABLE');
    const gone = await failureOf(listWith(bulkClient(address)).whole);
    expect(gone.status).toBe('UNAVAILABLE');
    expect(gone.details).toMatch(/^No connection established to 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  it('connects with the next call after a connection that failed', async () => {
    const { address } = await serve(listed(() => pagesUpTo(3)));
    let connections = 0;
    const proxy = await rawServer((socket) => {
      if (++connections === 1) socket.destroy();
      else passOn(socket, address);
    });
    const client = bulkClient(proxy);
    expect((await failureOf(listWith(client).whole)).status).toBe('UNAVAILABLE');
    expect(await listWith(client).whole).toEqual([1, 2, 3]);
    expect(await listWith(client).whole).toEqual([1, 2, 3]);
    expect(connections).toBe(2);
  });

  it('ends as UNAVAILABLE when the connection breaks within a stream, and makes another', async () => {
    const { address } = await serve(openEnded().answers);
    const sockets: Socket[] = [];
    const proxy = await rawServer((socket) => {
      sockets.push(socket);
      passOn(socket, address);
    });
    const client = bulkClient(proxy);
    for (const breakOff of ['destroy', 'resetAndDestroy'] as const) {
      const { whole, pages } = listWith(client, 'luna', () => sockets.at(-1)![breakOff]());
      const { status: code, details } = await failureOf(whole);
      expect(code).toBe('UNAVAILABLE');
      expect(details).toMatch(/^Connection dropped: /);
      expect(pages.length).toBe(1);
    }
    expect(sockets.length).toBe(2);
  });

  it('lets streams end that a draining server still answers, and connects anew afterwards', async () => {
    let proceed!: () => void;
    const drained = new Promise<void>((resolve) => (proceed = resolve));
    const first = await startInProcessServer(
      datasetService(
        listed(async function* () {
          yield page(1);
          await drained;
          yield page(2);
        }),
      ),
    );
    const client = bulkClient(first.address);
    let stopped: Promise<void> | undefined;
    const { whole } = listWith(client, 'luna', (number) => {
      if (number > 1) return;
      stopped = first.stop({ drainTimeoutMs: 60_000 });
      setImmediate(proceed);
    });
    expect(await whole).toEqual([1, 2]);
    await stopped;
    expect((await failureOf(listWith(client).whole)).status).toBe('UNAVAILABLE');
  });

  it('notices that the server answers no ping', async () => {
    // A SETTINGS frame, and then silence.
    const address = await rawServer((socket) => socket.write(Buffer.from('000000040000000000', 'hex')));
    const client = limitedClient(address, { keepaliveTimeMs: 20, keepaliveTimeoutMs: 20 });
    expect(await failureOf(listWith(client).whole)).toEqual({
      status: 'UNAVAILABLE',
      details: 'Connection dropped: the server did not answer a ping within 20 ms',
    });
  });
});

describe('a BulkClient whose server speaks no gRPC', () => {
  /** A server of plain HTTP/2. */
  async function http2Server(answer: (stream: ServerHttp2Stream) => void) {
    const sessions = new Set<ServerHttp2Session>();
    const server = createHttp2Server();
    server.on('session', (session: ServerHttp2Session) => sessions.add(session));
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      answer(stream);
    });
    onTestFinished(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return addressOf(server);
  }

  it('tells the HTTP status of a proxy, not that its page is no message', async () => {
    const address = await http2Server((stream) => {
      stream.respond({ ':status': 503, 'content-type': 'text/html' });
      stream.end('<html>'.repeat(5_000));
    });
    expect(await failureOf(listWith(bulkClient(address)).whole)).toEqual({
      status: 'UNAVAILABLE',
      details: 'the server answers with HTTP status 503',
    });
  });

  it('takes no stream for whole that ends without a status, or within a message', async () => {
    const address = await http2Server((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.of(0, 0, 0, 0, 9, 1));
    });
    expect(await failureOf(listWith(bulkClient(address)).whole)).toEqual({
      status: 'INTERNAL',
      details: 'the stream ended within a message',
    });
    const silent = await http2Server((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.end();
    });
    expect((await failureOf(listWith(bulkClient(silent)).whole)).status).toBe('UNKNOWN');
  });

  it('ends a call that the server resets', async () => {
    const address = await http2Server((stream) => stream.close(0x7));
    expect((await failureOf(listWith(bulkClient(address)).whole)).status).toBe('UNAVAILABLE');
  });

  it.each([
    ['HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['noise', Buffer.alloc(50_000, 0xa5)],
    ['data of no stream', Buffer.from('00000004000000000000000100000000000041', 'hex')],
    ['nothing', Buffer.alloc(0)],
  ])('gives up on %s', async (_what, bytes) => {
    const address = await rawServer((socket) => socket.end(bytes));
    expect((await failureOf(listWith(bulkClient(address)).whole)).status).toBe('UNAVAILABLE');
  });
});
