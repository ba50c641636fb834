import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INSTRUMENTS, isToldBy, type InstrumentName } from '@lunastream/telemetry';
import { workspaceRoot } from '@lunastream/testing';
import { OtlpReceiver, type ReceivedMetric, type ReceivedSpan } from '@lunastream/testing/otlp';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { onlyRun, readEpochs } from '../src/lunastream.ts';
import { ProcessRun } from '../src/process-run.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

const EPOCHS = 3;

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-telemetry-'));
  data = await makeSmallDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Trains with these variables; resolves with the run's folder. */
async function train(
  name: string,
  environment: Record<string, string>,
  options: readonly string[] = [],
): Promise<string> {
  const args = ['train', '--data', data, ...SMALL_RUN, '--epochs', String(EPOCHS), '--quiet', ...options];
  const run = new ProcessRun(
    join(workspaceRoot, 'tools/cli/bin/lunastream.mjs'),
    [...args, '--out', name, '--state', `${name}-state`],
    { cwd: folder, environment },
  );
  expect(await run.finished).toMatchObject({ code: 0, stderr: '' });
  return onlyRun(join(folder, name));
}

async function receive(protocol: 'grpc' | 'http/protobuf', isStuck = false): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start({ protocol, isStuck });
  onTestFinished(() => receiver.stop());
  return receiver;
}

interface Line {
  readonly epoch: number;
  readonly split: 'trn' | 'val';
  readonly tp: number;
  readonly recall: number | null;
}

describe.each(['grpc', 'http/protobuf'] as const)('a run that reports by OTLP over %s', (protocol) => {
  let metrics: readonly ReceivedMetric[];
  let spans: readonly ReceivedSpan[];
  let run: string;
  let runId: string;
  beforeAll(async () => {
    const receiver = await OtlpReceiver.start({ protocol });
    const name = protocol.replace('/', '-');
    run = await train(name, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_TRACES_SAMPLER: 'always_on',
    });
    receiver.stop();
    ({ metrics, spans } = receiver);
    runId = (JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as { runId: string }).runId;
  });

  it('sends every epoch, however short, with the scores that its run folder has', async () => {
    const epochs = metrics.filter(({ name }) => name === 'lunastream.run.epoch');
    expect(new Set(epochs.map(({ value }) => value))).toEqual(new Set([1, 2, 3]));
    expect(epochs.every(({ attributes }) => attributes['run'] === runId)).toBe(true);
    const last = (await readEpochs(run))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
      .filter(({ epoch }) => epoch === EPOCHS);
    for (const { split, recall, tp } of last) {
      const latest = (name: string, more: Record<string, string> = {}) =>
        metrics.findLast(
          (one) =>
            one.name === name &&
            Object.entries({ run: runId, split, ...more }).every(
              ([key, value]) => one.attributes[key] === value,
            ),
        );
      expect(latest('lunastream.epoch.recall')?.value ?? null).toBe(recall);
      expect(latest('lunastream.epoch.predictions', { outcome: 'tp' })!.value).toBe(tp);
    }
  });

  it('sends from all three services, and tells nothing apart by scan or sample', () => {
    const services = new Set(metrics.map(({ resource }) => resource['service.name']));
    expect(services).toEqual(new Set(['trainer', 'augmentation', 'chunk-cache']));
    const attributes = new Set(metrics.flatMap((one) => Object.keys(one.attributes)));
    expect([...attributes].filter((name) => /series|uid|ordinal|epoch/.test(name))).toEqual([]);
    const counted = metrics.findLast(
      ({ name, attributes: of }) =>
        name === 'rpc.server.call.duration' && String(of['rpc.method']).endsWith('/StreamChunks'),
    );
    expect(counted).toMatchObject({ attributes: { 'rpc.response.status_code': 'OK' } });
    expect(counted!.value).toBeGreaterThan(0);
  });

  it('has a trace from a batch through a worker to the cache', () => {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const chainOf = (span: ReceivedSpan): string[] => {
      const parent = byId.get(span.parentSpanId);
      const of = `${span.resource['service.name']} ${span.kind} ${span.name.split('/').at(-1)}`;
      return [...(parent === undefined ? [] : chainOf(parent)), of];
    };
    const cut = spans.filter(({ kind, name }) => kind === 'server' && name.endsWith('/StreamChunks'));
    expect(cut.length).toBeGreaterThan(0);
    expect(cut.map(chainOf)).toContainEqual([
      'trainer internal batch',
      'trainer client StreamSamples',
      'augmentation server StreamSamples',
      'augmentation client StreamChunks',
      'chunk-cache server StreamChunks',
    ]);
    for (const span of cut) expect(byId.get(span.parentSpanId)!.traceId).toBe(span.traceId);
  });

  it('writes the id of the run into the log of the trainer', async () => {
    const log = await readFile(
      join(folder, `${protocol.replace('/', '-')}-state`, 'logs/trainer.log'),
      'utf8',
    );
    const lines = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; run_id?: string });
    expect(lines.find(({ msg }) => msg === `run ${runId} finished`)).toMatchObject({ run_id: runId });
  });
});

describe('a run that augments by itself', () => {
  it('tells all that workers and a cache would tell, as the trainer, and nothing that it has none for', async () => {
    const receiver = await receive('http/protobuf');
    await train('local', { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint }, ['--local-augment']);
    receiver.stop();
    const { metrics } = receiver;
    expect(new Set(metrics.map(({ resource }) => resource['service.name']))).toEqual(new Set(['trainer']));
    const told = [...new Set(metrics.map(({ name }) => name))].sort();
    const expected = (Object.keys(INSTRUMENTS) as InstrumentName[]).filter((name) =>
      isToldBy(name, 'trainer', 'local'),
    );
    // No nodule need be found, nor one be called, by a run as short as this; and there need be no GPU.
    const mayBeAbsent = new Set([
      'lunastream.run.best_epoch',
      'lunastream.epoch.precision',
      'lunastream.engine.device_memory',
    ]);
    const certain = (name: string) => !mayBeAbsent.has(name);
    expect(told.filter(certain)).toEqual(expected.filter(certain).sort());
    const latest = (name: string, attributes?: Record<string, string>) =>
      receiver.latest(name, attributes)?.value;
    const samples = latest('lunastream.supply.samples', { worker: 'local' })!;
    expect(samples).toBeGreaterThan(0);
    expect(latest('lunastream.worker.samples')).toBe(samples);
    expect(latest('lunastream.worker.transform.duration')).toBe(samples);
    expect(latest('lunastream.chunks.hits', { tier: 'memory' })).toBeGreaterThan(0);
    expect(latest('lunastream.chunks.cut')).toBeGreaterThan(0);
  });
});

describe('a run whose telemetry fails', () => {
  let expected: string;
  beforeAll(async () => {
    expected = await readEpochs(await train('plain', {}));
  });

  it.each(['grpc', 'http/protobuf'] as const)('goes on when nobody listens: %s', async (protocol) => {
    const receiver = await OtlpReceiver.start({ protocol });
    receiver.stop();
    const run = await train(`dead-${protocol.replace('/', '-')}`, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    });
    expect(await readEpochs(run)).toBe(expected);
  });

  it('goes on when whoever listens never answers', async () => {
    const receiver = await receive('http/protobuf', true);
    const run = await train('stuck', { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
    expect(await readEpochs(run)).toBe(expected);
    expect(receiver.exportCount).toBeGreaterThan(0);
  });
});
