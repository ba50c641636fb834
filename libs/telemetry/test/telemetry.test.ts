import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metadata, status } from '@grpc/grpc-js';
import { startTelemetry, type Telemetry, type TelemetryOptions } from '../src/index.ts';
import { OtlpReceiver } from '@lunastream/testing/otlp';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';

// OpenTelemetry is global: one telemetry at a time, ended after each test.
let telemetry: Telemetry | undefined;
let problems: string[] = [];

/** Starts with these variables; OpenTelemetry's packages read the environment of the process. */
async function start(
  environment: Record<string, string> = {},
  options: Partial<TelemetryOptions> = {},
): Promise<Telemetry> {
  const own: string[] = [];
  problems = own;
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  telemetry = await startTelemetry({
    service: 'trainer',
    prometheusAddress: undefined,
    environment,
    onProblem: (problem) => void own.push(problem),
    ...options,
  });
  return telemetry;
}

afterEach(async () => {
  await telemetry?.shutdown();
  telemetry = undefined;
  vi.unstubAllEnvs();
});

async function receive(protocol: 'grpc' | 'http/protobuf', isStuck = false): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start({ protocol, isStuck });
  onTestFinished(() => receiver.stop());
  return receiver;
}

const scrape = async ({ prometheusAddress }: Telemetry) =>
  (await fetch(`http://${prometheusAddress}/metrics`)).text();

describe('the Prometheus endpoint', () => {
  it('answers with names, labels and values of everything that is reported', async () => {
    const running = await start({}, { prometheusAddress: '127.0.0.1:0' });
    running.observe((report) => {
      report('lunastream.epoch.recall', 0.75, { run: 'p/r', split: 'val' });
      report('lunastream.run.predictions', 3, { run: 'p/r', split: 'val', outcome: 'tp' });
    });
    running.record('lunastream.step.duration', 0.03, { split: 'trn' });
    const text = await scrape(running);
    const service = 'service_name="trainer"';
    expect(text).toContain(`lunastream_epoch_recall_ratio{run="p/r",split="val",${service}} 0.75\n`);
    expect(text).toContain(
      `lunastream_run_predictions_total{run="p/r",split="val",outcome="tp",${service}} 3\n`,
    );
    expect(text).toContain(`lunastream_step_duration_seconds_bucket{split="trn",${service},le="0.05"} 1\n`);
    expect(text).toContain(`lunastream_step_duration_seconds_bucket{split="trn",${service},le="0.025"} 0\n`);
    expect(text).toMatch(/^# TYPE lunastream_run_predictions_total counter$/m);
    expect(text).toMatch(/^target_info\{.*service_namespace="lunastream".*\} 1$/m);
  });

  it('answers nothing else', async () => {
    const { prometheusAddress } = await start({}, { prometheusAddress: '127.0.0.1:0' });
    expect((await fetch(`http://${prometheusAddress}/`)).status).toBe(404);
  });

  it('goes without when its port is taken, and says so', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    const running = await start({}, { prometheusAddress: address });
    expect(running.prometheusAddress).toBeUndefined();
    expect(problems).toEqual([`Prometheus cannot scrape this service at ${address}`]);
    running.record('lunastream.step.duration', 0.03, { split: 'trn' });
    await running.flush();
  });

  it('is gone after shutdown', async () => {
    const running = await start({}, { prometheusAddress: '127.0.0.1:0' });
    await scrape(running);
    await running.shutdown();
    await expect(scrape(running)).rejects.toThrow();
  });

  it('bounds the series of a histogram, whatever its attributes are', async () => {
    const running = await start({}, { prometheusAddress: '127.0.0.1:0' });
    for (let index = 0; index < 5000; index++) {
      const { run, end } = running.calls.begin({ path: `/s/Method${index}`, metadata: new Metadata() });
      run(() => undefined);
      end(status.OK);
    }
    const count = (await scrape(running)).match(/^rpc_server_call_duration_seconds_count/gm)!.length;
    expect(count).toBeLessThanOrEqual(2000 + 1);
  });
});

describe.each(['grpc', 'http/protobuf'] as const)('OTLP over %s', (protocol) => {
  it('sends metrics at a flush, with their resource', async () => {
    const receiver = await receive(protocol);
    const running = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    let epoch = 1;
    running.observe((report) => report('lunastream.run.epoch', epoch, { run: 'p/r' }));
    running.record('lunastream.step.duration', 0.03, { split: 'trn' });
    await running.flush();
    expect(receiver.latest('lunastream.run.epoch')).toMatchObject({
      kind: 'gauge',
      unit: '{epoch}',
      value: 1,
      attributes: { run: 'p/r' },
      resource: {
        'service.name': 'trainer',
        'service.namespace': 'lunastream',
        'deployment.environment.name': 'test',
      },
    });
    expect(receiver.latest('lunastream.run.epoch')!.resource['service.instance.id']).toMatch(
      /^[0-9a-f-]{36}$/,
    );
    expect(receiver.latest('lunastream.step.duration')).toMatchObject({ kind: 'histogram', value: 1 });
    epoch = 2;
    await running.flush();
    expect(receiver.latest('lunastream.run.epoch')!.value).toBe(2);
    expect(problems).not.toContain('metrics could not be sent');
  });

  it('sends what is left at shutdown', async () => {
    const receiver = await receive(protocol);
    const running = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    });
    running.observe((report) => report('lunastream.run.epoch', 7, { run: 'p/r' }));
    await running.shutdown();
    expect(receiver.latest('lunastream.run.epoch')!.value).toBe(7);
  });

  it('sends a span per call, and none when nothing is sampled', async () => {
    const receiver = await receive(protocol);
    const call = (running: Telemetry) => {
      const { run, end } = running.calls.begin({ path: '/s.v1.S/Get', metadata: new Metadata() });
      run(() => undefined);
      end(status.UNAVAILABLE);
      end(status.OK);
    };
    const variables = {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    };
    const traced = await start({ ...variables, OTEL_TRACES_SAMPLER: 'always_on' });
    call(traced);
    await traced.shutdown();
    expect(receiver.spans).toMatchObject([
      { name: 's.v1.S/Get', kind: 'server', attributes: { 'rpc.response.status_code': 'UNAVAILABLE' } },
    ]);
    expect(receiver.latest('rpc.server.call.duration')).toMatchObject({
      value: 1,
      attributes: {
        'rpc.system.name': 'grpc',
        'rpc.method': 's.v1.S/Get',
        'rpc.response.status_code': 'UNAVAILABLE',
        'error.type': 'UNAVAILABLE',
      },
    });
    const untraced = await start({ ...variables, OTEL_TRACES_SAMPLER: 'always_off' });
    call(untraced);
    await untraced.shutdown();
    expect(receiver.spans).toHaveLength(1);
  });

  it('neither fails nor waits for long when nobody listens', async () => {
    const receiver = await OtlpReceiver.start({ protocol });
    receiver.stop();
    const running = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    });
    running.record('lunastream.step.duration', 0.03, { split: 'trn' });
    await running.flush();
    await running.shutdown();
    expect(problems).not.toEqual([]);
  });

  it('gives a receiver up that takes everything and answers nothing', async () => {
    const receiver = await receive(protocol, true);
    const running = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    });
    running.record('lunastream.step.duration', 0.03, { split: 'trn' });
    const flushes = [running.flush(), running.flush(), running.flush()];
    await Promise.all(flushes);
    expect(problems).toContain('metrics could not be sent');
    await running.shutdown();
    expect(problems).toContain('the last metrics could not be sent');
  });
});

it('does nothing at all when OTEL_SDK_DISABLED is set', async () => {
  const running = await start({ OTEL_SDK_DISABLED: 'true' }, { prometheusAddress: '127.0.0.1:0' });
  expect(running.prometheusAddress).toBeUndefined();
  running.record('lunastream.step.duration', 0.03, { split: 'trn' });
  await running.flush();
});

it('goes on when its endpoint is no address, and says so', async () => {
  const running = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
  });
  running.record('lunastream.step.duration', 0.03, { split: 'trn' });
  await running.flush();
  expect(problems).not.toEqual([]);
});
