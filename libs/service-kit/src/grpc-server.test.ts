import { logVerbosity, Metadata, setLogVerbosity } from '@grpc/grpc-js';
import {
  ChunkServiceService,
  DatasetServiceClient,
  DatasetServiceService,
  type GetDatasetResponse,
} from '@lunastream/contracts';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { datasetService, summary } from '../test/dataset-service.ts';
import { checkHealth, reflect, watchHealth } from '../test/platform-clients.ts';
import { callUnary } from './grpc-client.ts';
import { GrpcServer } from './grpc-server.ts';
import { StreamRegistry } from './stream-registry.ts';
import { failureOf, startInProcessServer, type InProcessServer } from './testing/index.ts';

const DATASET_SERVICE = 'lunastream.dataset.v1.DatasetService';
const NO_DELAY = { drainDelayMs: 0, drainTimeoutMs: 0 };

async function serve(
  getDataset: () => Promise<GetDatasetResponse> = () => Promise.resolve(summary('luna')),
): Promise<InProcessServer & { readonly get: () => Promise<GetDatasetResponse> }> {
  const server = await startInProcessServer(datasetService({ getDataset }));
  onTestFinished(() => server.stop());
  const client = server.connect(DatasetServiceClient);
  const options = { metadata: new Metadata(), timeoutMs: 10_000 };
  const get = () => callUnary(client.getDataset.bind(client), { dataset: 'luna' }, options);
  return { ...server, get };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('GrpcServer.listen()', () => {
  it('returns the address it got in place of port 0, and answers there', async () => {
    const { address, get } = await serve();
    expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(await get()).toEqual(summary('luna'));
  });

  it('names the address that is taken', async () => {
    const { address } = await serve();
    // grpc-js writes the same to standard error.
    setLogVerbosity(logVerbosity.NONE);
    onTestFinished(() => setLogVerbosity(logVerbosity.ERROR));
    const second = new GrpcServer([], new StreamRegistry());
    onTestFinished(() => second.drain(NO_DELAY));
    await expect(second.listen(address)).rejects.toThrow(
      new RegExp(`^Cannot listen on ${address}: .*EADDRINUSE`),
    );
  });

  it('refuses a service without methods, which is a bug', () => {
    expect(() => new GrpcServer([{ definition: {}, implementation: {} }], new StreamRegistry())).toThrow(
      'internal: a gRPC service without methods',
    );
  });
});

describe('GrpcServer health', () => {
  it('reports each service and the whole as NOT_SERVING until told otherwise', async () => {
    const streams = new StreamRegistry();
    const services = [
      { definition: DatasetServiceService, implementation: {} },
      { definition: ChunkServiceService, implementation: {} },
    ];
    const server = new GrpcServer(services, streams);
    const address = await server.listen('127.0.0.1:0');
    onTestFinished(() => server.drain(NO_DELAY));
    const healthOfAll = () =>
      Promise.all(
        ['', DATASET_SERVICE, 'lunastream.chunk.v1.ChunkService'].map((name) => checkHealth(address, name)),
      );
    expect(await healthOfAll()).toEqual(['NOT_SERVING', 'NOT_SERVING', 'NOT_SERVING']);
    server.setServing(true);
    expect(await healthOfAll()).toEqual(['SERVING', 'SERVING', 'SERVING']);
    server.setServing(false);
    expect(await healthOfAll()).toEqual(['NOT_SERVING', 'NOT_SERVING', 'NOT_SERVING']);
  });

  it('does not know services of others', async () => {
    const { address } = await serve();
    expect((await failureOf(checkHealth(address, 'somebody.Else'))).status).toBe('NOT_FOUND');
  });
});

describe('GrpcServer reflection', () => {
  it('lists what is served and nothing that is not', async () => {
    const { address } = await serve();
    const { listServicesResponse } = await reflect(address, { listServices: '*' });
    expect(listServicesResponse?.service.map(({ name }) => name)).toEqual([DATASET_SERVICE]);
  });

  it('describes a service and the types that it uses', async () => {
    const { address } = await serve();
    const { fileDescriptorResponse } = await reflect(address, { fileContainingSymbol: DATASET_SERVICE });
    const files = fileDescriptorResponse?.fileDescriptorProto.map((file) => file.toString('latin1')) ?? [];
    for (const name of ['GetDatasetResponse', 'ListCandidates', 'CenterXyzMm']) {
      expect(files.some((file) => file.includes(name))).toBe(true);
    }
  });
});

describe('GrpcServer.drain()', () => {
  it('reports NOT_SERVING while it still answers, for as long as the delay says', async () => {
    const { address, server, get } = await serve();
    const health = watchHealth(address, DATASET_SERVICE);
    expect((await health.next()).value).toBe('SERVING');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const drained = server.drain({ drainDelayMs: 5000, drainTimeoutMs: 0 });
    expect((await health.next()).value).toBe('NOT_SERVING');
    await vi.advanceTimersByTimeAsync(4999);
    expect(await get()).toEqual(summary('luna'));
    await vi.advanceTimersByTimeAsync(1);
    await vi.advanceTimersByTimeAsync(250);
    await drained;
    expect(await failureOf(get())).toMatchObject({ status: 'UNAVAILABLE' });
    expect(await health.next()).toEqual({ done: true, value: undefined });
  });

  it('lets an answer that is under way leave', async () => {
    let answer!: (response: GetDatasetResponse) => void;
    let asked!: () => void;
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    const { server, get } = await serve(() => {
      asked();
      return new Promise((resolve) => (answer = resolve));
    });
    const response = get();
    await arrived;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const drained = server.drain(NO_DELAY);
    answer(summary('late'));
    expect(await response).toEqual(summary('late'));
    await vi.advanceTimersByTimeAsync(250);
    await drained;
  });

  it('cuts a call that never ends', async () => {
    let asked!: () => void;
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    const { server, get } = await serve(() => {
      asked();
      return new Promise(() => undefined);
    });
    const failure = failureOf(get());
    await arrived;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const drained = server.drain(NO_DELAY);
    await vi.advanceTimersByTimeAsync(250);
    await drained;
    expect(await failure).toEqual({ status: 'CANCELLED', details: 'Call cancelled' });
  });
});
