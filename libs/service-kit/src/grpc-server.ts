import { readFileSync } from 'node:fs';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { descriptorSetPath } from '@lunastream/contracts';
import { CallGuard, DEFAULT_LIMITS, type ServerLimits } from './call-limits.ts';
import { ConnectionListener } from './connection-listener.ts';
import { LOOPBACK_ONLY, type ConnectionSecurity } from './connection-security.ts';
import { MAX_MESSAGE_BYTES } from './grpc-client.ts';
import { directResponses } from './direct-responses.ts';
import type { Logger } from './logger.ts';
import type { StreamRegistry } from './stream-registry.ts';

/** A gRPC service and the object that answers it. */
export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** How a server stops. */
export interface DrainOptions {
  /** Between NOT_SERVING and refusing work. */
  readonly drainDelayMs: number;
  /** For streams under way to end by themselves. */
  readonly drainTimeoutMs: number;
}

/** What a server may be told beside what it serves; all of it has a default. */
export interface GrpcServerOptions {
  /** Without it: no TLS, and on this machine only. */
  readonly security?: ConnectionSecurity;
  readonly limits?: Partial<ServerLimits>;
  /** Told of connections that are closed for exceeding a limit. */
  readonly logger?: Logger;
}

/**
 * Largest request: 4,096 references take half of it. Requests are small beside answers, but a few bytes of one can name
 * an object of a hundred when it is read.
 */
const MAX_REQUEST_BYTES = 2 ** 20;

/** A connection without calls is closed; clients connect again when they need to. */
const MAX_IDLE_MS = 1_800_000;

/** A gRPC server with health (`grpc.health.v1`) and reflection beside its services. */
export class GrpcServer {
  readonly #server: Server;
  readonly #listener: ConnectionListener;
  readonly #security: ConnectionSecurity;
  readonly #health: HealthImplementation;
  readonly #names: readonly string[];
  readonly #streams: StreamRegistry;

  constructor(services: readonly ServedService[], streams: StreamRegistry, options: GrpcServerOptions = {}) {
    this.#streams = streams;
    this.#security = options.security ?? LOOPBACK_ONLY;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const guard = new CallGuard(limits, (peer) => this.#listener.drop(peer), options.logger);
    this.#server = new Server({
      'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_concurrent_streams': limits.maxCalls,
      'grpc.max_connection_idle_ms': MAX_IDLE_MS,
      'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
      'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
      interceptors: [directResponses(services.map(({ definition }) => definition)), guard.interceptor],
    });
    // TLS ends in the listener: grpc-js sees only what came through it.
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = new ConnectionListener({
      tls: this.#security.tls,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      take: (socket) => injector.injectConnection(socket),
    });
    this.#names = services.map(({ definition }) => serviceName(definition));
    this.#health = new HealthImplementation(
      Object.fromEntries(['', ...this.#names].map((name) => [name, 'NOT_SERVING' as const])),
    );
    for (const { definition, implementation } of services)
      this.#server.addService(definition, implementation);
    this.#health.addToServer(this.#server);
    const descriptors = loadFileDescriptorSetFromBuffer(readFileSync(descriptorSetPath));
    new ReflectionService(descriptors, { services: [...this.#names] }).addToServer(this.#server);
  }

  /**
   * Listens on `address` ("host:port", port 0 for any) and returns the address that it got.
   * @throws InsecureConnectionError when others than this machine could connect without TLS, and that is not allowed.
   * @throws Error when the address is taken or cannot be used; the message names it.
   */
  async listen(address: string): Promise<string> {
    this.#security.assertMayListen(address);
    try {
      const port = await this.#listener.listen(address);
      return address.replace(/\d+$/, String(port));
    } catch (error) {
      throw new Error(`Cannot listen on ${address}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Reports every service as SERVING, or none. */
  setServing(serving: boolean): void {
    for (const name of ['', ...this.#names])
      this.#health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Stops: NOT_SERVING, a delay for others to notice, streams ended, connections closed. Never hangs. */
  async drain({ drainDelayMs, drainTimeoutMs }: DrainOptions): Promise<void> {
    this.setServing(false);
    if (drainDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, drainDelayMs));
    await this.#streams.drain(drainTimeoutMs);
    this.#listener.close();
    // Health watchers and reflection streams are not ours to end; what is still open after a moment is cut.
    await Promise.race([
      new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve())),
      new Promise<void>((resolve) => setTimeout(resolve, 250).unref()),
    ]);
    this.#server.forceShutdown();
    this.#listener.dropAll();
  }
}

function serviceName(definition: ServiceDefinition): string {
  const path = Object.values(definition)[0]?.path;
  if (path === undefined) throw new Error('internal: a gRPC service without methods');
  return path.slice(1, path.lastIndexOf('/'));
}
