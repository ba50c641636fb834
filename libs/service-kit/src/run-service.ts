import {
  compileConfig,
  ConfigError,
  describeSettings,
  maskedConfig,
  type ConfigOf,
  type Environment,
  type Settings,
} from './config.ts';
import { prometheusAddressOf, startTelemetry, type Telemetry } from '@lunastream/telemetry';
import type { commonSettings } from './common-settings.ts';
import { ConnectionSecurity, isSecurityFault } from './connection-security.ts';
import { watchEventLoop } from './event-loop-delay.ts';
import type { BulkClient } from './bulk/bulk-client.ts';
import { createBulkClient, createClient, type ClientConstructor } from './grpc-client.ts';
import { GrpcServer, type ServedService } from './grpc-server.ts';
import type { HandlerContext } from './handlers.ts';
import { letHeapGrow } from './heap-growth.ts';
import { createLogger, type Logger } from './logger.ts';
import { reportProcess } from './report-process.ts';
import { ProbeServer } from './probe-server.ts';
import { StreamRegistry } from './stream-registry.ts';

/**
 * The life of a service:
 *
 *   STARTING ── SERVING ── DRAINING ── STOPPED
 *       └──────────┴───────────┴────── FAILED
 *
 * STARTING: reading configuration, opening stores. SERVING: answering. DRAINING (SIGTERM, SIGINT, or the parent went
 * away): NOT_SERVING, streams end, connections close. STOPPED and FAILED end the process with 0 and 1 (2 for bad
 * configuration). Each change is logged.
 */
export type ServiceState = 'STARTING' | 'SERVING' | 'DRAINING' | 'STOPPED' | 'FAILED';

/** What a service is made of. */
export interface ServiceDefinition<S extends Settings> {
  /** Name in logs, for example "chunk-cache". */
  readonly name: string;
  /** First line of --help. */
  readonly title: string;
  readonly settings: S & { readonly listen: S[string] };
  /** Whether some of its handlers are protected: then strangers must be kept out, by a token or by certificates. */
  readonly isProtected?: boolean;
  /** Opens what the service needs and returns what it serves. */
  start(config: ConfigOf<S>, context: ServiceContext): Promise<StartedService>;
}

/** What a service needs of the process around it. */
export interface ServiceContext extends HandlerContext {
  /**
   * Makes a client of another service at `address`, secured as this service is. `serverName` is the name that the other's
   * certificate must have, where `address` is only the number that the name stands for.
   * @throws InsecureConnectionError when `address` is beyond this machine, without TLS.
   */
  connect<Client>(Constructor: ClientConstructor<Client>, address: string, serverName?: string): Client;
  /** As `connect`, for server streams of large messages; they are read into `receiveBuffer` where there is no TLS. */
  connectBulk(address: string, receiveBuffer: Buffer, serverName?: string): BulkClient;
  /** What the service tells of itself. */
  readonly telemetry: Telemetry;
}

/** A service that is ready to serve. */
export interface StartedService {
  readonly services: readonly ServedService[];
  /** Releases what `start` opened; called once, after the last stream ended or when serving failed. */
  close(): Promise<void>;
  /** Called first when draining, with health NOT_SERVING: ends long work that streams wait for. */
  beforeDrain?(): Promise<void>;
}

/** Standard output as a service needs it. */
export interface HostOutput {
  write(text: string): unknown;
  on?(event: 'error', listener: () => void): unknown;
}

/** The process around a service; main.ts hands over the real one. */
export interface HostProcess {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly stdout: HostOutput;
  readonly stderr: { write(text: string): unknown };
  exit(code: number): void;
  once(event: 'SIGTERM' | 'SIGINT' | 'disconnect', listener: () => void): unknown;
  send?(message: unknown): boolean;
}

/** Message to a parent process once the service answers: with port 0 only the service knows its address. */
export interface ServingMessage {
  readonly type: 'serving';
  readonly address: string;
  /** Address that Prometheus scrapes; absent where there is none. */
  readonly prometheus?: string;
  /** Address that answers probes; absent where there is none. */
  readonly probes?: string;
}

type CommonConfig = ConfigOf<typeof commonSettings> & {
  readonly listen: string;
  readonly prometheusListen?: string | undefined;
};

/** Runs a service until it is told to stop, then exits the process. */
export async function runService<S extends Settings>(
  definition: ServiceDefinition<S>,
  host: HostProcess,
): Promise<void> {
  if (host.argv.includes('--help') || host.argv.includes('-h')) {
    host.stdout.write(describeSettings(definition.title, definition.settings));
    return host.exit(0);
  }
  letHeapGrow();
  let config: ConfigOf<S>;
  try {
    config = compileConfig<S>(definition.settings, host.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`${error.message}\n`);
    return host.exit(2);
  }
  const common = config as unknown as CommonConfig;
  // Whoever read the log may go away first; that must not keep the service from stopping in order.
  host.stdout.on?.('error', () => undefined);
  const logger = createLogger({ service: definition.name, level: common.logLevel, destination: host.stdout });
  let security: ConnectionSecurity;
  try {
    security = ConnectionSecurity.open(common, logger);
    security.assertMayListen(common.listen);
    if (definition.isProtected) security.assertKeepsStrangersOut(common.listen);
  } catch (error) {
    if (!isSecurityFault(error)) throw error;
    host.stderr.write(`${error.message}\n`);
    return host.exit(2);
  }
  logger.info({ config: maskedConfig(definition.settings, host.env) }, 'configuration');
  const telemetry = await startTelemetry({
    service: definition.name,
    prometheusAddress: prometheusAddressOf(host.env, common.prometheusListen),
    environment: host.env,
    onProblem: (problem, details) => logger.warn(details, problem),
  });
  let probes: ProbeServer | undefined;
  try {
    if (common.probeAddress !== undefined) probes = await ProbeServer.start(common.probeAddress);
    await serve(definition, { config, security, telemetry, probes }, logger, host);
    await telemetry.shutdown();
    host.exit(0);
  } catch (error) {
    enterState(logger, 'FAILED');
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    await telemetry.shutdown();
    host.exit(isSecurityFault(error) ? 2 : 1);
  } finally {
    probes?.close();
    security.close();
  }
}

function enterState(
  logger: Logger,
  state: ServiceState,
  fields: Readonly<Record<string, string>> = {},
): void {
  logger.info({ state, ...fields }, `state ${state}`);
}

interface ServiceParts<S extends Settings> {
  readonly config: ConfigOf<S>;
  readonly security: ConnectionSecurity;
  readonly telemetry: Telemetry;
  readonly probes: ProbeServer | undefined;
}

async function serve<S extends Settings>(
  definition: ServiceDefinition<S>,
  { config, security, telemetry, probes }: ServiceParts<S>,
  logger: Logger,
  host: HostProcess,
): Promise<void> {
  const stopRequested = stopRequestOf(host);
  enterState(logger, 'STARTING');
  const streams = new StreamRegistry();
  const started = await definition.start(config, {
    logger,
    streams,
    authorize: security.authorize,
    calls: telemetry.calls,
    telemetry,
    connect: (Constructor, address, serverName) =>
      createClient(Constructor, address, { security, ...(serverName === undefined ? {} : { serverName }) }),
    connectBulk: (address, receiveBuffer, serverName) => {
      const named = serverName === undefined ? {} : { serverName };
      return createBulkClient(address, { security, receiveBuffer, ...named });
    },
  });
  const { listen, maxCalls, stallTimeoutMs, ...drainOptions } = config as unknown as CommonConfig;
  try {
    const limits = { maxCalls, stallTimeoutMs };
    const server = new GrpcServer(started.services, streams, { security, limits, logger });
    const address = await server.listen(listen);
    server.setServing(true);
    probes?.setServing(true);
    const { prometheusAddress: prometheus } = telemetry;
    const addresses = {
      address,
      ...(prometheus === undefined ? {} : { prometheus }),
      ...(probes === undefined ? {} : { probes: probes.address }),
    };
    enterState(logger, 'SERVING', addresses);
    host.send?.({ type: 'serving', ...addresses } satisfies ServingMessage);

    const eventLoopDelay = watchEventLoop();
    telemetry.observe((report) => reportProcess(report, eventLoopDelay()));
    const reason = await stopRequested;
    logger.info({ eventLoopDelay: eventLoopDelay() }, 'event loop delay while serving');
    enterState(logger, 'DRAINING', { reason });
    server.setServing(false);
    probes?.setServing(false);
    try {
      await started.beforeDrain?.();
    } finally {
      await server.drain(drainOptions);
    }
  } finally {
    await started.close();
  }
  enterState(logger, 'STOPPED');
}

/** Settles with the reason once the service is told to stop, also while it still starts. */
function stopRequestOf(host: HostProcess): Promise<string> {
  return new Promise((resolve) => {
    host.once('SIGTERM', () => resolve('SIGTERM'));
    host.once('SIGINT', () => resolve('SIGINT'));
    host.once('disconnect', () => resolve('the parent process went away'));
  });
}
