import { credentials, Metadata, type ServerInterceptingCall } from '@grpc/grpc-js';
import { DatasetServiceClient } from '@lunastream/contracts';
import { withTemporaryFolder } from '@lunastream/testing';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { datasetService, page, pageNumber, summary, type DatasetAnswers } from '../test/dataset-service.ts';
import { checkHealth } from '../test/platform-clients.ts';
import { makeAuthority, TlsFolder } from '../test/tls-files.ts';
import type { ConnectionSecurity } from './connection-security.ts';
import { CallGuard, DEFAULT_LIMITS, type ServerLimits } from './call-limits.ts';
import { callUnary } from './grpc-client.ts';
import { failureOf, startInProcessServer } from './testing/index.ts';

type InterceptingServerListener = Parameters<ServerInterceptingCall['start']>[0];

async function serve(answers: DatasetAnswers, limits: Partial<ServerLimits>, security?: ConnectionSecurity) {
  const server = await startInProcessServer(datasetService(answers), {
    limits,
    ...(security && { security }),
  });
  onTestFinished(() => server.stop());
  const client = () => server.connect(DatasetServiceClient);
  const port = Number(server.address.split(':')[1]);
  return { ...server, client, port };
}

const UNARY = { metadata: new Metadata(), timeoutMs: 60_000 };

describe('a server with a limit of calls', () => {
  it('refuses one more, says the limit, and answers again once a call has ended', async () => {
    const release: (() => void)[] = [];
    const answers: DatasetAnswers = {
      getDataset: async () => {
        await new Promise<void>((resolve) => release.push(resolve));
        return summary('luna');
      },
      // eslint-disable-next-line @typescript-eslint/require-await -- answers at once
      listCandidates: async function* () {
        yield page(1);
      },
    };
    const { client, address } = await serve(answers, { maxCalls: 2 });
    const one = client();
    const ask = () => callUnary(one.getDataset.bind(one), { dataset: 'luna' }, UNARY);
    const first = ask();
    const second = ask();
    while (release.length < 2) await new Promise(setImmediate);
    // From a connection of its own: one connection has the same limit of streams, and queues what is above.
    const other = new DatasetServiceClient(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    onTestFinished(() => other.close());
    expect(await failureOf(callUnary(other.getDataset.bind(other), { dataset: 'luna' }, UNARY))).toEqual({
      status: 'RESOURCE_EXHAUSTED',
      details:
        'Cannot answer /lunastream.dataset.v1.DatasetService/GetDataset: at most 2 calls are answered at a time, got one more',
    });
    expect(await checkHealth(address, '')).toBe('SERVING');
    for (const go of release) go();
    expect(await Promise.all([first, second])).toHaveLength(2);
    const pages: number[] = [];
    for await (const message of client().listCandidates({ dataset: 'luna' })) {
      pages.push(pageNumber(message as Parameters<typeof pageNumber>[0]));
    }
    expect(pages).toEqual([1]);
  });

  it('takes no request above 1 MiB', async () => {
    const { client } = await serve({ getDataset: () => Promise.resolve(summary('luna')) }, {});
    const one = client();
    const call = callUnary(one.getDataset.bind(one), { dataset: 'x'.repeat(2 ** 20) }, UNARY);
    expect(await failureOf(call)).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      details: expect.stringMatching(/larger than max \(\d+ vs 1048576\)/) as string,
    });
  });
});

describe('a client that holds memory', () => {
  it('loses its connection when it does not read its answer', async () => {
    let ended = () => undefined as void;
    const generatorEnd = new Promise<void>((resolve) => (ended = resolve));
    let pageCount = 0;
    const { client, log } = await serve(
      {
        // eslint-disable-next-line @typescript-eslint/require-await -- answers at once
        listCandidates: async function* () {
          try {
            for (;;) yield page(pageCount++, 2 ** 18);
          } finally {
            ended();
          }
        },
      },
      { stallTimeoutMs: 200 },
    );
    // A grpc-js client that never begins to read takes everything into its own memory; this one stops.
    const pages = client().listCandidates({ dataset: 'luna' });
    pages.on('error', () => undefined).once('data', () => pages.pause());
    await generatorEnd;
    expect(log.map(({ msg }) => msg)).toContain(
      'connection closed: its client did not read its answer for 200 ms',
    );
    // 1 MiB of HTTP/2 window and the queue of one call: far from all it could have been sent in this time.
    expect(pageCount).toBeLessThan(64);
  });

  it('loses its connection when it does not send its request', async () => {
    const { port, log } = await serve({}, { requestTimeoutMs: 100 });
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': '/lunastream.dataset.v1.DatasetService/GetDataset',
        'content-type': 'application/grpc',
        te: 'trailers',
      },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    await once(session, 'close');
    expect(log.map(({ msg }) => msg)).toContain(
      'connection closed: its client did not send its request within 100 ms',
    );
  });

  it('loses its connection when it never speaks HTTP/2', async () => {
    const { port } = await serve({}, { keepaliveTimeMs: 50, keepaliveTimeoutMs: 50 });
    const socket = connect({ host: '127.0.0.1', port });
    socket.resume().on('error', () => undefined);
    await once(socket, 'close');
  });

  it('loses its connection when it never does its handshake', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(await makeAuthority());
      const security = files.watch(['certificate', 'key']);
      onTestFinished(() => security.close());
      const { port } = await serve({}, { handshakeTimeoutMs: 100 }, security);
      const socket = connect({ host: '127.0.0.1', port });
      socket.resume().on('error', () => undefined);
      await once(socket, 'close');
    }));
});

describe('the time that a client may leave an answer unread', () => {
  const STALL_TIMEOUT_MS = 1000;

  /** A guarded call, and by hand when its client takes what is sent. */
  function guardedCall() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const dropped = vi.fn();
    const guard = new CallGuard({ ...DEFAULT_LIMITS, stallTimeoutMs: STALL_TIMEOUT_MS }, dropped);
    const taken: (() => void)[] = [];
    let listener: InterceptingServerListener | undefined;
    const call = guard.interceptor(
      { path: '/test/Stream', requestStream: false, responseStream: true } as never,
      {
        start: (given: InterceptingServerListener) => (listener = given),
        sendMetadata: () => undefined,
        sendMessage: (_message: unknown, callback: () => void) => taken.push(callback),
        getPeer: () => 'peer',
        getConnectionInfo: () => ({}),
      } as never,
    );
    call.start({ onReceiveHalfClose: () => undefined, onCancel: () => undefined } as never);
    listener!.onReceiveHalfClose();
    const send = () => call.sendMessage({}, () => undefined);
    return { send, take: () => taken.shift()!(), end: () => listener!.onCancel(), dropped };
  }

  it('begins with the latest message', () => {
    const { send, take, dropped } = guardedCall();
    for (let count = 0; count < 5; count++) {
      send();
      vi.advanceTimersByTime(STALL_TIMEOUT_MS - 1);
      take();
    }
    send();
    vi.advanceTimersByTime(STALL_TIMEOUT_MS - 1);
    expect(dropped).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(dropped).toHaveBeenCalledOnce();
  });

  it('does not pass while nothing waits, nor after the call', () => {
    const { send, take, end, dropped } = guardedCall();
    send();
    take();
    vi.advanceTimersByTime(10 * STALL_TIMEOUT_MS);
    send();
    vi.advanceTimersByTime(STALL_TIMEOUT_MS - 1);
    end();
    vi.advanceTimersByTime(10 * STALL_TIMEOUT_MS);
    expect(dropped).not.toHaveBeenCalled();
  });
});
