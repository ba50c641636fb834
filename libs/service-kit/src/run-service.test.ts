import { DatasetServiceClient } from '@lunastream/contracts';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { EventEmitter, once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { datasetService } from '../test/dataset-service.ts';
import { checkHealth } from '../test/platform-clients.ts';
import { commonSettings } from './common-settings.ts';
import { setting, type Environment } from './config.ts';
import { ProbeServer, PROBES } from './probe-server.ts';
import {
  runService,
  type HostProcess,
  type ServiceDefinition,
  type ServingMessage,
  type StartedService,
} from './run-service.ts';
import { addressSchema, integerSchema } from './setting-schemas.ts';
import { startInProcessServer, type LogLine } from './testing/index.ts';

const settings = {
  listen: setting({
    variable: 'LISTEN',
    schema: addressSchema,
    fallback: '127.0.0.1:0',
    help: 'Address to listen on',
  }),
  token: setting({
    variable: 'API_TOKEN',
    schema: z.string(),
    fallback: '',
    help: 'Secret of the store',
    secret: true,
  }),
  size: setting({ variable: 'SIZE', schema: integerSchema(1, 9), help: 'How many, 1..9' }),
  ...commonSettings,
} as const;

/** A process that only remembers what was done to it. */
class FakeHost extends EventEmitter implements HostProcess {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly exitCodes: number[] = [];
  readonly logLines: LogLine[] = [];
  /** What was written to standard output that is no line of the log. */
  output = '';
  errorOutput = '';
  readonly stdout = {
    write: (text: string) => (text.startsWith('{') ? this.#remember(text) : (this.output += text)),
    on: (_event: 'error', listener: () => void) => void this.on('broken pipe', listener),
  };
  readonly stderr = { write: (text: string) => (this.errorOutput += text) };

  constructor(env: Environment = { SIZE: '3' }, options: readonly string[] = []) {
    super();
    this.env = env;
    this.argv = ['node', 'main.js', ...options];
  }

  exit(code: number): void {
    this.exitCodes.push(code);
  }

  send(message: unknown): boolean {
    return this.emit('message', message);
  }

  get states(): unknown[] {
    return this.logLines.map(({ state }) => state).filter((state) => state !== undefined);
  }

  /** Emits each state as an event. */
  #remember(text: string): void {
    const line = JSON.parse(text) as LogLine;
    this.logLines.push(line);
    if (typeof line.state === 'string') this.emit(line.state);
  }
}

function define(start: ServiceDefinition<typeof settings>['start']): ServiceDefinition<typeof settings> {
  return { name: 'sample', title: 'sample: a service of a test', settings, start };
}

const neverStarted = define(() => Promise.reject(new Error('the test must not start this service')));

/** A service that notes what happens to it in `steps`. */
function recordingService(steps: string[], beforeDrain?: StartedService['beforeDrain']) {
  return define((_config, context) => {
    steps.push('start');
    return Promise.resolve({
      services: datasetService({})(context),
      beforeDrain:
        beforeDrain ??
        (() => {
          steps.push('beforeDrain');
          return Promise.resolve();
        }),
      close: () => {
        steps.push('close');
        return Promise.resolve();
      },
    });
  });
}

/** Runs `definition` until it serves. */
async function startServing(definition: ServiceDefinition<typeof settings>, host: FakeHost) {
  const serving = once(host, 'message') as Promise<[ServingMessage]>;
  const ended = runService(definition, host);
  const [{ type, address, probes }] = await serving;
  return { type, address, probes, ended };
}

describe('runService() before it starts', () => {
  it.each(['--help', '-h'])('prints its settings for %s and exits with 0', async (option) => {
    const host = new FakeHost({}, [option]);
    await runService(neverStarted, host);
    expect(host.output).toMatch(/^sample: a service of a test\n\nEnvironment variables:\n/);
    expect(host.output).toMatch(/^ {2}SIZE +How many, 1\.\.9 \(required\)$/m);
    expect(host.output).toMatch(/^ {2}LUNASTREAM_DRAIN_TIMEOUT_MS .*\(default 2000\)$/m);
    expect([host.exitCodes, host.errorOutput, host.logLines]).toEqual([[0], '', []]);
  });

  it('tells all faults of the environment at once and exits with 2', async () => {
    const host = new FakeHost({ LISTEN: 'here', LUNASTREAM_LOG_LEVEL: 'loud' });
    await runService(neverStarted, host);
    expect(host.errorOutput).toMatch(
      /3 fault\(s\)\n {2}LISTEN='here'.*\n {2}SIZE is missing.*\n {2}LUNASTREAM_LOG_LEVEL/,
    );
    expect([host.exitCodes, host.output, host.logLines]).toEqual([[2], '', []]);
  });

  it.each([
    [{ LISTEN: '0.0.0.0:0' }, /^Cannot listen on 0\.0\.0\.0:0: addresses beyond this machine need TLS/],
    [
      { LUNASTREAM_TLS_CERT: 'absent.crt', LUNASTREAM_TLS_KEY: 'absent.key' },
      /^Cannot read the TLS certificate absent\.crt: ENOENT/,
    ],
    [{ LUNASTREAM_TOKEN_FILE: 'absent' }, /^Cannot read the token file absent: ENOENT/],
  ])('refuses security settings %o in one sentence and exits with 2', async (settings, fault) => {
    const host = new FakeHost({ SIZE: '3', ...settings });
    await runService(neverStarted, host);
    expect(host.errorOutput).toMatch(fault);
    expect(host.errorOutput.trimEnd()).not.toContain('\n');
    expect([host.exitCodes, host.output, host.logLines]).toEqual([[2], '', []]);
  });

  it('exits with 2 when it would connect beyond this machine without TLS', async () => {
    const host = new FakeHost();
    const service = define((_config, context) => {
      context.connect(DatasetServiceClient, 'cache:50051');
      return Promise.reject(new Error('the test must not come here'));
    });
    await runService(service, host);
    expect(host.exitCodes).toEqual([2]);
    expect(host.logLines.at(-1)!.msg).toMatch(
      /^Cannot connect to cache:50051: connections that leave this machine/,
    );
  });
});

describe('runService() serving', () => {
  it('tells its parent the address it got, where it is healthy', async () => {
    const host = new FakeHost();
    const { type, address, ended } = await startServing(recordingService([]), host);
    expect(type).toBe('serving');
    expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(await checkHealth(address, '')).toBe('SERVING');
    host.emit('SIGTERM');
    await ended;
  });

  it('hands the compiled settings to the service and logs them once, secrets masked', async () => {
    const host = new FakeHost({ SIZE: '7', API_TOKEN: 'hunter2' });
    let size = 0;
    const service = define((config, context) => {
      size = config.size;
      return recordingService([]).start(config, context);
    });
    const { ended } = await startServing(service, host);
    host.emit('SIGTERM');
    await ended;
    expect(size).toBe(7);
    const configurations = host.logLines.filter(({ config }) => config !== undefined);
    expect(configurations).toMatchObject([
      { config: { SIZE: '7', API_TOKEN: '(masked)' }, service: 'sample' },
    ]);
    expect(JSON.stringify(host.logLines)).not.toContain('hunter2');
  });

  it('heeds that nobody reads its log any more, instead of ending by it', async () => {
    const host = new FakeHost();
    const { ended } = await startServing(recordingService([]), host);
    expect(host.listenerCount('broken pipe')).toBe(1);
    host.emit('disconnect');
    await ended;
    expect(host.exitCodes).toEqual([0]);
  });

  it('runs without a parent to tell', async () => {
    const fake = new FakeHost();
    const { argv, env, stdout, stderr } = fake;
    const serving = once(fake, 'SERVING');
    const host: HostProcess = {
      argv,
      env,
      stdout,
      stderr,
      exit: fake.exit.bind(fake),
      once: fake.once.bind(fake),
    };
    const ended = runService(recordingService([]), host);
    await serving;
    fake.emit('SIGINT');
    await ended;
    expect(fake.exitCodes).toEqual([0]);
  });
});

describe('runService() with an address for probes', () => {
  const answers = async (address: string) =>
    Object.fromEntries(
      await Promise.all(PROBES.map(async (probe) => [probe, await checkHealth(address, probe)] as const)),
    );

  it('tells starting, serving and draining apart', async () => {
    const host = new FakeHost({ SIZE: '3', LUNASTREAM_PROBE_LISTEN: '127.0.0.1:0' });
    const seen: Record<string, unknown>[] = [];
    let address = '';
    const service = recordingService([], async () => void seen.push(await answers(address)));
    const { probes, ended } = await startServing(service, host);
    address = probes!;
    expect(await answers(address)).toEqual({ liveness: 'SERVING', startup: 'SERVING', readiness: 'SERVING' });
    host.emit('SIGTERM');
    await ended;
    expect(seen).toEqual([{ liveness: 'SERVING', startup: 'SERVING', readiness: 'NOT_SERVING' }]);
    await expect(checkHealth(address, 'liveness')).rejects.toThrow();
  });

  it('is alive and not started while it opens what it needs', async () => {
    const probes = await ProbeServer.start('127.0.0.1:0');
    onTestFinished(() => probes.close());
    expect(await answers(probes.address)).toEqual({
      liveness: 'SERVING',
      startup: 'NOT_SERVING',
      readiness: 'NOT_SERVING',
    });
    await expect(ProbeServer.start(probes.address)).rejects.toThrow(
      /^Cannot listen for probes on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    );
  });
});

describe('runService() told to stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'disconnect'])(
    'on %s ends long work, drains, closes, logs each state and exits with 0',
    async (event) => {
      const host = new FakeHost();
      const steps: string[] = [];
      const { address, ended } = await startServing(recordingService(steps), host);
      expect(host.exitCodes).toEqual([]);
      host.emit(event);
      await ended;
      expect(steps).toEqual(['start', 'beforeDrain', 'close']);
      expect(host.states).toEqual(['STARTING', 'SERVING', 'DRAINING', 'STOPPED']);
      expect(host.exitCodes).toEqual([0]);
      await expect(checkHealth(address, '')).rejects.toThrow(/UNAVAILABLE/);
    },
  );

  it('is NOT_SERVING while it ends long work, and closes only after the streams ended', async () => {
    const host = new FakeHost({ SIZE: '3', LUNASTREAM_DRAIN_TIMEOUT_MS: '0' });
    const steps: string[] = [];
    let address = '';
    const service = define(async (config, context) => {
      const started = await recordingService(steps, async () => {
        steps.push(await checkHealth(address, ''));
      }).start(config, context);
      void context.streams.track(async ({ signal }) => {
        await once(signal, 'abort');
        steps.push('stream ended');
      });
      return started;
    });
    const running = await startServing(service, host);
    address = running.address;
    host.emit('SIGTERM');
    await running.ended;
    expect(steps).toEqual(['start', 'NOT_SERVING', 'stream ended', 'close']);
  });

  it('stops as soon as it serves when it was told so while starting', async () => {
    const host = new FakeHost();
    const steps: string[] = [];
    const service = define((config, context) => {
      host.emit('SIGTERM');
      return recordingService(steps).start(config, context);
    });
    await runService(service, host);
    expect(steps).toEqual(['start', 'beforeDrain', 'close']);
    expect(host.exitCodes).toEqual([0]);
  });
});

describe('runService() that fails', () => {
  it('says why it could not start and exits with 1', async () => {
    const host = new FakeHost();
    await runService(
      define(() => Promise.reject(new Error('Cannot open the lmdb tier'))),
      host,
    );
    expect(host.states).toEqual(['STARTING', 'FAILED']);
    expect(host.logLines.at(-1)).toMatchObject({
      level: 'fatal',
      msg: 'Cannot open the lmdb tier',
      err: { message: 'Cannot open the lmdb tier' },
    });
    expect(host.exitCodes).toEqual([1]);
  });

  it('releases what it opened when its address is taken', async () => {
    const other = await startInProcessServer(datasetService({}));
    onTestFinished(() => other.stop());
    // grpc-js writes the same to standard error.
    setLogVerbosity(logVerbosity.NONE);
    onTestFinished(() => setLogVerbosity(logVerbosity.ERROR));
    const host = new FakeHost({ SIZE: '1', LISTEN: other.address });
    const steps: string[] = [];
    await runService(recordingService(steps), host);
    expect(steps).toEqual(['start', 'close']);
    expect(host.logLines.at(-1)).toMatchObject({ msg: expect.stringContaining(other.address) as string });
    expect(host.exitCodes).toEqual([1]);
  });

  it('releases what it opened when ending long work fails', async () => {
    const host = new FakeHost();
    const steps: string[] = [];
    const service = recordingService(steps, () => Promise.reject(new Error('the run cannot be saved')));
    const { address, ended } = await startServing(service, host);
    host.emit('SIGTERM');
    await ended;
    expect(steps).toEqual(['start', 'close']);
    expect(host.states).toEqual(['STARTING', 'SERVING', 'DRAINING', 'FAILED']);
    await expect(checkHealth(address, '')).rejects.toThrow(/UNAVAILABLE/);
    expect(host.exitCodes).toEqual([1]);
  });
});
