import { DatasetFaultError } from '@lunastream/chunk-source';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import {
  RunSettings,
  RunState,
  SplitRule,
  StartRunRequest,
  TrainingServiceClient,
  type WatchRunResponse,
} from '@lunastream/contracts';
import {
  callUnary,
  createClient,
  GrpcServer,
  readStream,
  RequestError,
  StreamRegistry,
  type HandlerContext,
} from '@lunastream/service-kit';
import { describe, expect, it } from 'vitest';
import { fakeDatasetClient } from '../test/fake-dataset-client.ts';
import { grpcError } from '../test/fake-worker.ts';
import {
  Gate,
  SILENT,
  withManagers,
  type ManagerBench,
  type ManagerBenchOptions,
} from '../test/manager-bench.ts';
import { DATASET } from '../test/training-fixtures.ts';
import { EngineStartError } from './errors.ts';
import { createHandlers } from './handlers.ts';

const ID = 'p2ch12/2026-11-23_09.05.13-dlwpt';
const SETTINGS = RunSettings.create({
  dataset: 'default',
  batchSize: 4,
  epochs: 1,
  tbPrefix: 'p2ch12',
  comment: 'dlwpt',
  seed: 7,
  chunkShape: { depth: 16, height: 16, width: 16 },
  learningRate: 0.001,
  momentum: 0.99,
  engine: 'auto',
  threshold: 0.5,
  split: SplitRule.CANDIDATE,
});

/** The training service on a loopback port, as a client sees it. */
interface Service extends ManagerBench {
  readonly runsFolder: string;
  readonly client: TrainingServiceClient;
  readonly streams: StreamRegistry;
  readonly start: (settings: Partial<RunSettings>) => Promise<{ runId: string; runFolder: string }>;
  readonly watch: (runId: string, signal?: AbortSignal) => AsyncGenerator<WatchRunResponse>;
}

const OPTIONS = { metadata: new Metadata(), timeoutMs: 10_000 };

/** A token to check, beside what the bench is told. */
type ServiceOptions = ManagerBenchOptions & Pick<HandlerContext, 'authorize'>;

function withService(options: ServiceOptions, use: (service: Service) => Promise<void>): Promise<void> {
  return withManagers(async (runsFolder, managerBench) => {
    const bench = managerBench(runsFolder, options);
    const streams = new StreamRegistry();
    const { authorize } = options;
    const context = { logger: SILENT, streams, ...(authorize && { authorize }) };
    const server = new GrpcServer(createHandlers(bench.manager, context), streams);
    const address = await server.listen('127.0.0.1:0');
    const client = createClient(TrainingServiceClient, address);
    try {
      await use({
        ...bench,
        runsFolder,
        client,
        streams,
        start: (settings) =>
          callUnary(
            client.startRun.bind(client),
            StartRunRequest.fromPartial({ settings: { ...SETTINGS, ...settings } }),
            OPTIONS,
          ),
        watch: (runId, signal) => readStream(client.watchRun({ runId }), signal),
      });
    } finally {
      client.close();
      await bench.manager.stopActive();
      await server.drain({ drainDelayMs: 0, drainTimeoutMs: 0 });
    }
  });
}

async function collect(events: AsyncIterable<WatchRunResponse>) {
  const seen: NonNullable<WatchRunResponse['event']>[] = [];
  for await (const { event } of events) seen.push(event!);
  return seen;
}

describe('the token', () => {
  it('is asked of those who start or stop a run, and of nobody else', () => {
    const asked: string[] = [];
    const authorize = () => {
      asked.push('token');
      throw new RequestError('unauthenticated', 'the call must carry the token');
    };
    return withService({ authorize }, async ({ client, start }) => {
      const refused = { code: status.UNAUTHENTICATED, details: 'the call must carry the token' };
      await expect(start({})).rejects.toMatchObject(refused);
      await expect(callUnary(client.stopRun.bind(client), { runId: ID }, OPTIONS)).rejects.toMatchObject(
        refused,
      );
      expect(asked).toHaveLength(2);
      expect(await callUnary(client.listRuns.bind(client), { tbPrefix: '', limit: 0 }, OPTIONS)).toEqual({
        runs: [],
      });
    });
  });
});

describe('StartRun and WatchRun', () => {
  it('train, and tell everything from the first line to the end', () =>
    withService({}, async ({ start, watch, runsFolder }) => {
      const { runId, runFolder } = await start({});
      expect(runId).toBe(ID);
      expect(runFolder).toBe(join(runsFolder, ID));
      const events = await collect(watch(runId));
      const lines = events.flatMap((event) => (event.$case === 'logLine' ? [event.value.text] : []));
      expect(lines[0]).toBe('Engine fake (a test, 2.0 GiB): asked for by a test');
      expect(lines[1]).toBe('LunaDataset: 10 training samples, 8 neg, 2 pos, unbalanced ratio');
      expect(lines).toContain('Epoch 1 of 1, 3/1 batches of size 4*1');
      const scores = events.flatMap((event) => (event.$case === 'scores' ? [event.value] : []));
      expect(scores.map(({ split, samplesSeen }) => [split, samplesSeen])).toEqual([
        ['trn', 10],
        ['val', 10],
      ]);
      expect(events.at(-1)).toMatchObject({
        $case: 'status',
        value: { state: RunState.FINISHED, message: '', bestEpoch: 1 },
      });
    }));

  it('tell a watcher that comes in the middle what was told before', () => {
    const gate = new Gate();
    return withService({ engine: { onBatch: gate.wait } }, async ({ start, watch }) => {
      const { runId } = await start({});
      const early = collect(watch(runId));
      await gate.reached;
      const late = collect(watch(runId));
      gate.open();
      const story = async (events: typeof early) =>
        (await events).filter(({ $case }) => $case !== 'progress');
      expect(await story(late)).toEqual(await story(early));
    });
  });

  it('tell why a run failed', () =>
    withService({}, async ({ start, watch, samples }) => {
      samples.onSample = () => {
        throw new Error('Cannot make sample 0: scan 1.2.3 is truncated');
      };
      const { runId } = await start({});
      expect((await collect(watch(runId))).at(-1)).toMatchObject({
        value: { state: RunState.FAILED, message: 'Cannot make sample 0: scan 1.2.3 is truncated' },
      });
    }));

  it('end the stream of a watcher that leaves, and keep the run', () => {
    const gate = new Gate();
    return withService({ engine: { onBatch: gate.wait } }, async ({ start, watch, streams, manager }) => {
      const { runId } = await start({});
      for await (const { event } of watch(runId)) if (event?.$case === 'logLine') break;
      await expect.poll(() => streams.count).toBe(0);
      expect((await manager.get(runId)).status.state).toBe('running');
      gate.open();
      expect((await collect(watch(runId))).at(-1)).toMatchObject({ value: { state: RunState.FINISHED } });
    });
  });
});

describe('StartRun refuses', () => {
  const refusal = (options: ManagerBenchOptions, settings: Partial<RunSettings>, expected: object) =>
    withService(options, async ({ start }) => {
      await expect(start(settings)).rejects.toMatchObject(expected);
    });

  it('settings that cannot be trained: INVALID_ARGUMENT with every fault', () =>
    refusal(
      {},
      { batchSize: 0, momentum: 1 },
      {
        code: status.INVALID_ARGUMENT,
        details:
          'Cannot start a run: batch size must be a whole number in 1..4096, got 0; ' +
          'momentum must be at least 0 and below 1, got 1',
      },
    ));

  it('no settings at all: INVALID_ARGUMENT', () =>
    withService({}, async ({ client }) => {
      const call = callUnary(client.startRun.bind(client), StartRunRequest.create(), OPTIONS);
      await expect(call).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: 'Cannot start a run: settings must be set, got none',
      });
    }));

  it('a split rule of a newer version: INVALID_ARGUMENT', () =>
    refusal({}, { split: 99 as SplitRule }, { code: status.INVALID_ARGUMENT }));

  it.each([
    ['bad-settings', status.INVALID_ARGUMENT, 'engine must be one of auto, tfjs, got cuda'],
    ['unavailable', status.FAILED_PRECONDITION, 'engine must be one of auto, tfjs, got cuda'],
    ['internal', status.INTERNAL, 'internal: the request failed, see the log of the service'],
  ] as const)('an engine fault %s: status %i', (kind, code, details) =>
    refusal(
      {
        startEngine: () =>
          Promise.reject(new EngineStartError(kind, 'engine must be one of auto, tfjs, got cuda')),
      },
      {},
      { code, details },
    ),
  );

  it('a data set that cannot be split or balanced: FAILED_PRECONDITION with the first reason', () =>
    refusal(
      {
        dataset: {
          ...DATASET,
          candidates: [],
          leftOut: { missingScan: 0, outsideScan: 1, badScan: 0 },
          problems: ['/d/candidates.csv:2: the centre lies outside scan 1.2.3'],
        },
      },
      {},
      {
        code: status.FAILED_PRECONDITION,
        details: expect.stringContaining('/d/candidates.csv:2: the centre lies outside scan 1.2.3') as string,
      },
    ));

  it.each([
    [status.NOT_FOUND, status.NOT_FOUND, 'it is so'],
    [status.FAILED_PRECONDITION, status.FAILED_PRECONDITION, 'it is so'],
    [status.UNAVAILABLE, status.UNAVAILABLE, 'the chunk cache does not answer: it is so'],
    [status.DEADLINE_EXCEEDED, status.UNAVAILABLE, 'the chunk cache does not answer: it is so'],
  ])('what the chunk cache refuses with status %i: status %i', (given, code, details) =>
    refusal(
      { datasets: fakeDatasetClient(DATASET, { failure: grpcError(given, 'it is so') }) },
      {},
      { code, details },
    ),
  );

  it.each([
    ['unknown', status.NOT_FOUND],
    ['unreadable', status.FAILED_PRECONDITION],
    ['changed', status.FAILED_PRECONDITION],
  ] as const)('a data set of its own that is %s: status %i', (fault, code) =>
    refusal(
      { datasets: fakeDatasetClient(DATASET, { failure: new DatasetFaultError(fault, 'it is so') }) },
      {},
      { code, details: 'it is so' },
    ),
  );

  it('a run to resume that is unknown: NOT_FOUND', () =>
    refusal({}, { resumeRunId: 'p2ch12/none' }, { code: status.NOT_FOUND }));

  it('a run to resume that is damaged: FAILED_PRECONDITION', () =>
    withService({}, async ({ start, runsFolder }) => {
      await mkdir(join(runsFolder, 'p2ch12', 'torn'), { recursive: true });
      await writeFile(join(runsFolder, 'p2ch12', 'torn', 'run.json'), '{');
      await expect(start({ resumeRunId: 'p2ch12/torn' })).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
    }));

  it('a second run: RESOURCE_EXHAUSTED, naming the first', () => {
    const gate = new Gate();
    return withService({ engine: { onBatch: gate.wait } }, async ({ start }) => {
      const { runId } = await start({});
      await expect(start({})).rejects.toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: expect.stringContaining(runId) as string,
      });
    });
  });
});

describe('StopRun', () => {
  it('ends a run in the middle of a batch; again, it stays stopped', () => {
    const gate = new Gate();
    return withService({ engine: { onBatch: gate.wait } }, async ({ start, watch, client }) => {
      const { runId } = await start({});
      await gate.reached;
      const stop = () => callUnary(client.stopRun.bind(client), { runId }, OPTIONS);
      expect(await stop()).toEqual({ state: RunState.STOPPED });
      expect(await stop()).toEqual({ state: RunState.STOPPED });
      expect((await collect(watch(runId))).at(-1)).toMatchObject({ value: { state: RunState.STOPPED } });
    });
  });
});

describe('ListRuns and GetRun', () => {
  it('give runs with their settings and scores', () =>
    withService({}, async ({ start, watch, client }) => {
      const { runId, runFolder } = await start({ ratio: 1, epochLength: 6 });
      await collect(watch(runId));
      const { run } = await callUnary(client.getRun.bind(client), { runId }, OPTIONS);
      expect(run).toMatchObject({
        runId,
        runFolder,
        state: RunState.FINISHED,
        bestEpoch: 1,
        startedAt: new Date(2026, 10, 23, 9, 5, 13),
        settings: { ratio: 1, epochLength: 6, seed: 7, split: SplitRule.CANDIDATE },
      });
      expect(run!.scores.map(({ split }) => split)).toEqual(['trn', 'val']);
      const list = (tbPrefix: string, limit: number) =>
        callUnary(client.listRuns.bind(client), { tbPrefix, limit }, OPTIONS);
      expect((await list('', 0)).runs).toEqual([run]);
      expect((await list('p2ch12', 1000)).runs).toEqual([run]);
      expect((await list('other', 0)).runs).toEqual([]);
      await expect(list('', 1001)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: 'Cannot list runs: limit must be 0..1000, got 1001',
      });
    }));
});

describe('a run that is unknown', () => {
  it.each(['p2ch12/none', '../../etc/passwd', ''])('is NOT_FOUND to every call: %j', (runId) =>
    withService({}, async ({ client, watch }) => {
      const notFound = { code: status.NOT_FOUND, details: expect.stringContaining(`'${runId}'`) as string };
      await expect(callUnary(client.getRun.bind(client), { runId }, OPTIONS)).rejects.toMatchObject(notFound);
      await expect(callUnary(client.stopRun.bind(client), { runId }, OPTIONS)).rejects.toMatchObject(
        notFound,
      );
      await expect(collect(watch(runId))).rejects.toMatchObject(notFound);
    }),
  );
});
