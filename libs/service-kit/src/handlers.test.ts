import { Metadata } from '@grpc/grpc-js';
import {
  DatasetServiceClient,
  DatasetServiceService,
  type ListCandidatesResponse,
} from '@lunastream/contracts';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { datasetService, page, pageNumber, summary, type DatasetAnswers } from '../test/dataset-service.ts';
import { callUnary, createClient, readStream } from './grpc-client.ts';
import { RequestError } from './request-error.ts';
import { collect, failureOf, startInProcessServer } from './testing/index.ts';

const STOPPING = { status: 'UNAVAILABLE', details: 'the service is stopping' };
/** Messages that a client of grpc-js buffers once it has read one. */
const CLIENT_BUFFER_MESSAGES = 16;
/** Responses that wait to be written. */
const UNSENT_MESSAGES = 4;
/** Above the client's window of 1 MiB: a message waits until the client takes the one before. */
const STALLING_BYTES = 1.25 * 2 ** 20;
/** Sent to a client that has read one message: that one, those that it buffers, and what is on its way. */
const MOST_SENT = CLIENT_BUFFER_MESSAGES + 4;
const MOST_MADE = MOST_SENT + UNSENT_MESSAGES;

async function serve(answers: DatasetAnswers) {
  const server = await startInProcessServer(datasetService(answers));
  onTestFinished(() => server.stop());
  const client = server.connect(DatasetServiceClient);
  const get = (dataset: string) =>
    callUnary(client.getDataset.bind(client), { dataset }, { metadata: new Metadata(), timeoutMs: 10_000 });
  const list = () => client.listCandidates({ dataset: 'luna' });
  return { ...server, get, list };
}

/** Settles when `signal` aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

/** A promise that a test settles by hand. */
function deferred<Value = void>() {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('unaryHandler()', () => {
  it('answers what the function returns', async () => {
    const { get, log } = await serve({ getDataset: ({ dataset }) => Promise.resolve(summary(dataset)) });
    expect(await get('luna')).toEqual(summary('luna'));
    expect(log).toEqual([]);
  });

  it('answers a RequestError with its status and message, logged as a refusal', async () => {
    const { get, log } = await serve({
      getDataset: ({ dataset }) => Promise.reject(new RequestError('not-found', `no '${dataset}', ünïcode`)),
    });
    expect(await failureOf(get('luna'))).toEqual({
      status: 'NOT_FOUND',
      details: "no 'luna', ünïcode",
    });
    expect(log).toMatchObject([
      { level: 'info', msg: 'request refused', path: '/lunastream.dataset.v1.DatasetService/GetDataset' },
    ]);
  });

  it.each([
    ['rejects', () => Promise.reject(new TypeError('secret of line 12'))],
    [
      'throws at once',
      () => {
        throw new TypeError('secret of line 12');
      },
    ],
  ])(
    'answers INTERNAL without its text when the function %s with a bug, which is logged',
    async (_, fail) => {
      const { get, log } = await serve({ getDataset: fail });
      const failure = await failureOf(get('luna'));
      expect(failure.status).toBe('INTERNAL');
      expect(failure.details).not.toContain('secret');
      expect(log).toMatchObject([
        { level: 'error', msg: 'internal: request failed', err: { message: 'secret of line 12' } },
      ]);
    },
  );
});

describe('streamHandler()', () => {
  it('sends everything in order and ends with OK', async () => {
    const { list, streams, stop } = await serve({
      listCandidates: async function* () {
        for (let number = 0; number < 100; number++) yield await Promise.resolve(page(number));
      },
    });
    const pages = await collect(list());
    expect(pages.map(pageNumber)).toEqual(Array.from({ length: 100 }, (_, number) => number));
    await stop();
    expect(streams.count).toBe(0);
  });

  it('ends with OK when there is nothing to send', async () => {
    const { list } = await serve({ listCandidates: async function* () {} });
    expect(await collect(list())).toEqual([]);
  });

  it.each([
    [
      'a RequestError',
      new RequestError('failed-precondition', 'changed'),
      'FAILED_PRECONDITION',
      'changed',
      'info',
    ],
    [
      'a bug',
      new TypeError('secret'),
      'INTERNAL',
      'internal: the request failed, see the log of the service',
      'error',
    ],
  ])('sends what came before %s, then its status', async (_, error, status, details, level) => {
    const { list, log } = await serve({
      listCandidates: async function* () {
        yield await Promise.resolve(page(1));
        yield page(2);
        throw error;
      },
    });
    const received: number[] = [];
    const reading = (async () => {
      for await (const message of readStream(list())) received.push(pageNumber(message));
    })();
    expect(await failureOf(reading)).toEqual({ status, details });
    expect(received).toEqual([1, 2]);
    expect(log).toMatchObject([{ level, err: { message: error.message } }]);
  });
});

describe('streamHandler() and a client that reads slowly', () => {
  /** A server whose generator counts what it made; `full` settles when grpc-js asks it to wait. */
  async function serveStalling(totalMessages: number) {
    const full = deferred();
    const ended = deferred<unknown>();
    const sent: number[] = [];
    let made = 0;
    const server = await serve({
      getDataset: ({ dataset }) => Promise.resolve(summary(dataset)),
      listCandidates: async function* (_request, signal) {
        try {
          while (made < totalMessages) {
            if (++made === CLIENT_BUFFER_MESSAGES) full.resolve();
            yield await Promise.resolve(page(made, STALLING_BYTES));
          }
        } finally {
          ended.resolve(signal.reason);
        }
      },
      onPageSent: (message) => sent.push(pageNumber(message)),
    });
    return { ...server, sent, full: full.promise, ended: ended.promise, made: () => made };
  }

  it('does not run ahead of it, and sends the rest when it reads', async () => {
    const total = MOST_MADE + 8;
    const { get, list, full, made, sent } = await serveStalling(total);
    const messages = readStream(list());
    // A client of grpc-js holds nothing back before it has read once.
    const numbers = [pageNumber((await messages.next()).value!)];
    await full;
    // Every round trip is a chance to run ahead.
    for (let round = 0; round < 20; round++) await get('luna');
    expect(made()).toBeLessThanOrEqual(MOST_MADE);
    expect(sent.length).toBeLessThanOrEqual(MOST_SENT);
    for await (const message of messages) numbers.push(pageNumber(message));
    expect(numbers).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    await vi.waitUntil(() => sent.length === total);
    expect(sent).toEqual(numbers);
  });

  it('stops waiting for it when it cancels', async () => {
    const { list, full, ended, made, sent } = await serveStalling(1000);
    const stream = list();
    stream.on('error', () => undefined);
    await once(stream, 'readable');
    await full;
    stream.cancel();
    expect(await ended).toMatchObject({ kind: 'cancelled' });
    expect(made()).toBeLessThanOrEqual(MOST_MADE);
    expect(sent.length).toBeLessThanOrEqual(MOST_SENT);
  });

  it('stops waiting for it when the service drains', async () => {
    const { list, full, ended, made, stop } = await serveStalling(1000);
    const stream = list();
    const failed = new Promise((resolve) => stream.once('error', resolve));
    await once(stream, 'readable');
    await full;
    await stop();
    expect(await ended).toMatchObject({ kind: 'unavailable' });
    expect(made()).toBeLessThanOrEqual(MOST_MADE);
    // It never read the status that was sent to it: the connection closed on it.
    stream.resume();
    expect(await failed).toBeInstanceOf(Error);
  });
});

describe('streamHandler() and its signal', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A generator that sends one page, then waits until its signal aborts and does what a test says. */
  async function serveWaiting(afterAbort: (signal: AbortSignal) => void) {
    const reason = deferred<unknown>();
    const server = await serve({
      listCandidates: async function* (_request, signal) {
        yield page(1);
        await aborted(signal);
        reason.resolve(signal.reason);
        afterAbort(signal);
      },
    });
    return { ...server, reason: reason.promise };
  }

  /** Reads the first page of a stream. */
  async function firstOf(pages: AsyncGenerator<ListCandidatesResponse, void>): Promise<void> {
    expect((await pages.next()).done).toBe(false);
  }

  it('aborts when the client cancels; nobody is answered and nothing logged', async () => {
    const { list, reason, stop, streams, log } = await serveWaiting((signal) => signal.throwIfAborted());
    const stream = list();
    await firstOf(readStream(stream));
    stream.cancel();
    expect(await reason).toMatchObject({ kind: 'cancelled', message: 'the client cancelled' });
    await stop();
    expect(streams.count).toBe(0);
    expect(log).toEqual([]);
  });

  it('aborts when the client leaves its loop early', async () => {
    const { list, reason } = await serveWaiting((signal) => signal.throwIfAborted());
    for await (const message of readStream(list())) {
      expect(pageNumber(message)).toBe(1);
      break;
    }
    expect(await reason).toMatchObject({ kind: 'cancelled' });
  });

  it('aborts when the connection breaks', async () => {
    const { address, reason } = await serveWaiting((signal) => signal.throwIfAborted());
    const { path, requestSerialize } = DatasetServiceService.listCandidates;
    const request = requestSerialize({ dataset: 'luna' });
    const frame = Buffer.concat([Buffer.alloc(5), request]);
    frame.writeUInt32BE(request.byteLength, 1);
    const session = connect(`http://${address}`);
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.on('error', () => undefined).end(frame);
    await once(call, 'data');
    session.destroy();
    expect(await reason).toMatchObject({ kind: 'cancelled' });
  });

  it('aborts when the deadline passes', async () => {
    const { address, reason } = await serveWaiting((signal) => signal.throwIfAborted());
    // Below the keep-alive interval of both sides, so that only deadlines come due.
    const deadlineMs = 5000;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const client = createClient(DatasetServiceClient, address);
    onTestFinished(() => client.close());
    const pages = readStream(
      client.listCandidates({ dataset: 'luna' }, { deadline: Date.now() + deadlineMs }),
    );
    await firstOf(pages);
    const failure = failureOf(pages.next());
    vi.advanceTimersByTime(deadlineMs);
    expect(await reason).toMatchObject({ kind: 'cancelled' });
    expect((await failure).status).toBe('DEADLINE_EXCEEDED');
  });

  it.each([
    ['throws the reason', (signal: AbortSignal) => signal.throwIfAborted()],
    [
      'throws something that follows from it',
      () => {
        throw new Error('secret: the socket was closed');
      },
    ],
    ['returns early as if all were said', () => undefined],
  ])('aborts when the service drains, and ends with UNAVAILABLE when the generator %s', async (_, end) => {
    const { list, reason, stop, log } = await serveWaiting(end);
    const pages = readStream(list());
    await firstOf(pages);
    const failure = failureOf(pages.next());
    await stop();
    expect(await reason).toMatchObject({ kind: 'unavailable' });
    expect(await failure).toEqual(STOPPING);
    expect(log).toMatchObject([{ level: 'info', msg: 'request refused' }]);
  });

  it('lets a stream finish while the service waits for it', async () => {
    const release = deferred();
    const { list, stop } = await serve({
      listCandidates: async function* () {
        yield page(1);
        await release.promise;
        yield page(2);
      },
    });
    const pages = readStream(list());
    await firstOf(pages);
    const stopped = stop({ drainTimeoutMs: 60_000 });
    release.resolve();
    expect(pageNumber((await pages.next()).value as ListCandidatesResponse)).toBe(2);
    expect(await pages.next()).toEqual({ done: true, value: undefined });
    await stopped;
  });
});
