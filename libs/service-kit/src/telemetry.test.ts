import { Metadata } from '@grpc/grpc-js';
import { DatasetServiceClient } from '@lunastream/contracts';
import { startTelemetry, withRun, type Telemetry } from '@lunastream/telemetry';
import { OtlpReceiver, type ReceivedSpan } from '@lunastream/testing/otlp';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { datasetService, page, summary, type DatasetAnswers } from '../test/dataset-service.ts';
import { callUnary, readStream } from './grpc-client.ts';
import { RequestError } from './request-error.ts';
import { collect, failureOf, startInProcessServer } from './testing/index.ts';

let receiver: OtlpReceiver;
let telemetry: Telemetry;

beforeEach(async () => {
  receiver = await OtlpReceiver.start({ protocol: 'http/protobuf' });
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_TRACES_SAMPLER: 'always_on',
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  telemetry = await startTelemetry({
    service: 'sample',
    prometheusAddress: undefined,
    environment,
    onProblem: () => undefined,
  });
});
afterEach(async () => {
  await telemetry.shutdown();
  receiver.stop();
  vi.unstubAllEnvs();
});

async function serve(answers: DatasetAnswers) {
  const server = await startInProcessServer(datasetService(answers), { calls: telemetry.calls });
  onTestFinished(() => server.stop());
  const client = server.connect(DatasetServiceClient);
  const get = (dataset: string) =>
    callUnary(client.getDataset.bind(client), { dataset }, { metadata: new Metadata(), timeoutMs: 60_000 });
  return { ...server, client, get };
}

/** How often each method ended with each status, as it arrived. */
function callCounts(): Record<string, number> {
  return Object.fromEntries(
    receiver.metrics
      .filter(({ name }) => name === 'rpc.server.call.duration')
      .map(({ attributes, value }) => [
        `${String(attributes['rpc.method']).split('/')[1]} ${attributes['rpc.response.status_code']}`,
        value,
      ]),
  );
}

describe('calls', () => {
  it('are counted by method and status: answered, refused, failed, cancelled', async () => {
    const endless = async function* (_request: unknown, signal: AbortSignal) {
      yield page(0);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const failures: Record<string, Error> = {
      refused: new RequestError('not-found', 'no such set'),
      failed: new TypeError('a bug'),
    };
    const server = await serve({
      getDataset: ({ dataset }) =>
        failures[dataset] === undefined
          ? Promise.resolve(summary(dataset))
          : Promise.reject(failures[dataset]),
      listCandidates: endless,
    });
    await server.get('a');
    await server.get('b');
    await failureOf(server.get('refused'));
    await failureOf(server.get('failed'));
    const pages = readStream(server.client.listCandidates({ dataset: 'a' }));
    await pages.next();
    await pages.return();
    await vi.waitFor(() => expect(server.streams.count).toBe(0), { timeout: 60_000 });
    await telemetry.flush();
    expect(callCounts()).toEqual({
      'GetDataset OK': 2,
      'GetDataset NOT_FOUND': 1,
      'GetDataset INTERNAL': 1,
      'ListCandidates CANCELLED': 1,
    });
  });

  it('under way are counted while they last', async () => {
    let release: () => void = () => undefined;
    const arrived = new Promise<void>((arrive) => {
      release = arrive;
    });
    let finish: () => void = () => undefined;
    const { get } = await serve({
      getDataset: async ({ dataset }) => {
        release();
        await new Promise<void>((resolve) => (finish = resolve));
        return summary(dataset);
      },
    });
    const answer = get('a');
    await arrived;
    await telemetry.flush();
    const method = { 'rpc.method': 'lunastream.dataset.v1.DatasetService/GetDataset' };
    expect(receiver.latest('lunastream.calls.active', method)!.value).toBe(1);
    finish();
    await answer;
    await telemetry.flush();
    expect(receiver.latest('lunastream.calls.active', method)!.value).toBe(0);
  });
});

describe('a trace', () => {
  it('goes from a client through one service into the next, and the logs carry it and the run', async () => {
    const behind = await serve({
      listCandidates: async function* () {
        await Promise.resolve();
        yield page(0);
        throw new RequestError('not-found', 'behind');
      },
    });
    const front = await serve({
      getDataset: async ({ dataset }) => {
        await collect(behind.client.listCandidates({ dataset })).catch(() => undefined);
        throw new RequestError('not-found', 'in front');
      },
    });
    await withRun('p2ch12/first', () => failureOf(front.get('luna')));
    await telemetry.shutdown();

    const spans = new Map(receiver.spans.map((span) => [`${span.kind} ${span.name.split('/')[1]}`, span]));
    const chain = [
      'client GetDataset',
      'server GetDataset',
      'client ListCandidates',
      'server ListCandidates',
    ];
    expect([...spans.keys()].sort()).toEqual([...chain].sort());
    const ordered = chain.map((name) => spans.get(name)!) as [ReceivedSpan, ...ReceivedSpan[]];
    expect(new Set(ordered.map(({ traceId }) => traceId)).size).toBe(1);
    expect(ordered.map(({ parentSpanId }) => parentSpanId)).toEqual([
      '',
      ...ordered.slice(0, -1).map(({ spanId }) => spanId),
    ]);
    const [, inFront, , atTheEnd] = ordered as [ReceivedSpan, ReceivedSpan, ReceivedSpan, ReceivedSpan];
    for (const [{ log }, { traceId, spanId }] of [
      [front, inFront],
      [behind, atTheEnd],
    ] as const) {
      expect(log).toMatchObject([{ trace_id: traceId, span_id: spanId, run_id: 'p2ch12/first' }]);
    }
  });

  it('carries no run where there is none', async () => {
    const { get, log } = await serve({
      getDataset: () => Promise.reject(new RequestError('not-found', 'none')),
    });
    await failureOf(get('luna'));
    expect(log).toHaveLength(1);
    expect(log[0]).not.toHaveProperty('run_id');
    expect(log[0]).toHaveProperty('trace_id');
  });
});
