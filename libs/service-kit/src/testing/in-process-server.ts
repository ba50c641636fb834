import type { CallObserver } from '@lunastream/telemetry';
import { createClient, type ClientConstructor, type ConnectOptions } from '../grpc-client.ts';
import { GrpcServer, type DrainOptions, type GrpcServerOptions, type ServedService } from '../grpc-server.ts';
import type { HandlerContext } from '../handlers.ts';
import { createLogger } from '../logger.ts';
import { StreamRegistry } from '../stream-registry.ts';

/** A line of a service's log, as a test looks at it. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly err?: { readonly message: string };
  readonly [field: string]: unknown;
}

/** A real gRPC server of a test, on a free port of this machine's loopback. */
export interface InProcessServer {
  readonly address: string;
  readonly server: GrpcServer;
  readonly streams: StreamRegistry;
  /** What the service logged so far, debug and above. */
  readonly log: readonly LogLine[];
  /** Makes a client of this server; it is closed with the server. */
  readonly connect: <Client extends { close(): void }>(
    Constructor: ClientConstructor<Client>,
    options?: ConnectOptions,
  ) => Client;
  /** Drains the server and closes its clients. Streams under way are aborted at once unless `options` gives them time. */
  readonly stop: (options?: Partial<DrainOptions>) => Promise<void>;
}

/**
 * Starts the services that `createServices` makes, with health and reflection as in production. The caller stops it, for
 * example by `onTestFinished(() => server.stop())`. `calls` sees the calls, where a test is about that.
 */
export async function startInProcessServer(
  createServices: (context: HandlerContext) => readonly ServedService[],
  { calls, ...options }: Omit<GrpcServerOptions, 'logger'> & { readonly calls?: CallObserver } = {},
): Promise<InProcessServer> {
  const log: LogLine[] = [];
  const destination = { write: (line: string) => void log.push(JSON.parse(line) as LogLine) };
  const logger = createLogger({ service: 'in-process', level: 'debug', destination });
  const streams = new StreamRegistry();
  const context = {
    logger,
    streams,
    ...(calls && { calls }),
    ...(options.security && { authorize: options.security.authorize }),
  };
  const server = new GrpcServer(createServices(context), streams, { ...options, logger });
  const address = await server.listen('127.0.0.1:0');
  server.setServing(true);
  const clients: { close(): void }[] = [];
  return {
    address,
    server,
    streams,
    log,
    connect: (Constructor, connectOptions) => {
      const client = createClient(Constructor, address, connectOptions);
      clients.push(client);
      return client;
    },
    stop: async ({ drainDelayMs = 0, drainTimeoutMs = 0 } = {}) => {
      await server.drain({ drainDelayMs, drainTimeoutMs });
      for (const client of clients) client.close();
    },
  };
}
