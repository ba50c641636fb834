import { Metadata, status, type handleUnaryCall } from '@grpc/grpc-js';
import {
  DatasetServiceClient,
  DatasetServiceService,
  type GetDatasetRequest,
  type GetDatasetResponse,
  type ListCandidatesResponse,
} from '@lunastream/contracts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { datasetService, page, pageNumber, summary, type DatasetAnswers } from '../test/dataset-service.ts';
import { callUnary, createClient, MAX_MESSAGE_BYTES, readStream } from './grpc-client.ts';
import { RequestError } from './request-error.ts';
import { collect, failureOf, startInProcessServer } from './testing/index.ts';

async function serve(answers: DatasetAnswers) {
  const server = await startInProcessServer(datasetService(answers));
  onTestFinished(() => server.stop());
  const client = server.connect(DatasetServiceClient);
  return { ...server, client, list: () => client.listCandidates({ dataset: 'luna' }) };
}

/** Sends pages for as long as anybody listens; `cancelled` settles when nobody does. */
function endlessPages() {
  let settle!: () => void;
  const cancelled = new Promise<void>((resolve) => (settle = resolve));
  async function* listCandidates(_request: unknown, signal: AbortSignal) {
    signal.addEventListener('abort', settle);
    for (let number = 1; ; number++) {
      // Lets the rest of the process run between pages.
      await new Promise((resolve) => setImmediate(resolve));
      yield page(number);
    }
  }
  return { listCandidates, cancelled };
}

describe('callUnary()', () => {
  it('sends request, metadata and deadline, and gives the answer', async () => {
    let deadlineMs = 0;
    const getDataset: handleUnaryCall<GetDatasetRequest, GetDatasetResponse> = (call, callback) => {
      deadlineMs = Number(call.getDeadline());
      callback(null, summary(`${call.request.dataset} for ${String(call.metadata.get('run-id')[0])}`));
    };
    const server = await startInProcessServer(() => [
      { definition: DatasetServiceService, implementation: { getDataset } },
    ]);
    onTestFinished(() => server.stop());
    const client = server.connect(DatasetServiceClient);
    const metadata = new Metadata();
    metadata.set('run-id', 'night');
    const options = { metadata, timeoutMs: 10_000 };
    const call = callUnary(client.getDataset.bind(client), { dataset: 'luna' }, options);
    expect(await call).toEqual(summary('luna for night'));
    expect(deadlineMs).toBeGreaterThan(0);
    expect(deadlineMs).toBeLessThan(Infinity);
  });

  it('gives up when the time is over', async () => {
    const { client } = await serve({ getDataset: () => new Promise(() => undefined) });
    const options = { metadata: new Metadata(), timeoutMs: 0 };
    const call = callUnary(client.getDataset.bind(client), { dataset: 'luna' }, options);
    expect((await failureOf(call)).status).toBe('DEADLINE_EXCEEDED');
  });

  it('fails at once where nobody listens', async () => {
    const { address, stop } = await serve({});
    await stop();
    const client = createClient(DatasetServiceClient, address);
    onTestFinished(() => client.close());
    const options = { metadata: new Metadata(), timeoutMs: 10_000 };
    const call = callUnary(client.getDataset.bind(client), { dataset: 'luna' }, options);
    expect(await failureOf(call)).toMatchObject({ status: 'UNAVAILABLE' });
  });
});

describe('readStream()', () => {
  it('gives every message in order', async () => {
    const { list } = await serve({
      listCandidates: async function* () {
        for (let number = 0; number < 50; number++) yield await Promise.resolve(page(number));
      },
    });
    const numbers: number[] = [];
    for await (const message of readStream(list())) numbers.push(pageNumber(message));
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, number) => number));
  });

  it("throws the stream's error after what came before it", async () => {
    const { list } = await serve({
      listCandidates: async function* () {
        yield await Promise.resolve(page(1));
        throw new RequestError('not-found', 'no such data set');
      },
    });
    const pages = readStream(list());
    expect(pageNumber((await pages.next()).value as ListCandidatesResponse)).toBe(1);
    expect(await failureOf(pages.next())).toEqual({ status: 'NOT_FOUND', details: 'no such data set' });
  });

  it('cancels the call when the loop is left early', async () => {
    const { listCandidates, cancelled } = endlessPages();
    const { list } = await serve({ listCandidates });
    for await (const message of readStream(list())) if (pageNumber(message) === 3) break;
    await cancelled;
  });

  it('cancels the call when the loop throws, and keeps its error', async () => {
    const { listCandidates, cancelled } = endlessPages();
    const { list } = await serve({ listCandidates });
    const reading = async () => {
      for await (const message of readStream(list())) {
        if (pageNumber(message) === 3) throw new Error('no room for page 3');
      }
    };
    await expect(reading()).rejects.toThrow('no room for page 3');
    await cancelled;
  });

  it('cancels the call when its signal aborts, and throws the reason', async () => {
    const { listCandidates, cancelled } = endlessPages();
    const { list } = await serve({ listCandidates });
    const abort = new AbortController();
    const reading = async () => {
      for await (const message of readStream(list(), abort.signal)) {
        if (pageNumber(message) === 3) abort.abort(new Error('the epoch ended'));
      }
    };
    await expect(reading()).rejects.toThrow('the epoch ended');
    await cancelled;
  });

  it('reads nothing when its signal had aborted before', async () => {
    const { list } = await serve(endlessPages());
    const stream = list();
    const ended = new Promise((resolve) => stream.once('status', resolve));
    const pages = readStream(stream, AbortSignal.abort(new Error('too late')));
    await expect(pages.next()).rejects.toThrow('too late');
    expect(await ended).toMatchObject({ code: status.CANCELLED });
  });
});

describe('CHANNEL_OPTIONS', () => {
  it('carry a message of a 128³ float32 sample, and none above the limit', async () => {
    const { client, list } = await serve({
      listCandidates: async function* ({ dataset }) {
        yield await Promise.resolve(page(1, dataset === 'large' ? MAX_MESSAGE_BYTES : 4 * 128 ** 3));
      },
    });
    expect(await collect(list())).toHaveLength(1);
    const large = collect(client.listCandidates({ dataset: 'large' }));
    expect((await failureOf(large)).status).toBe('RESOURCE_EXHAUSTED');
  });
});
