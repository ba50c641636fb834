import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { DEFAULT_LIMITS } from './call-limits.ts';
import { ConnectionListener } from './connection-listener.ts';

/**
 * What a platform asks of a service, as services of `grpc.health.v1`:
 *
 *            STARTING   SERVING   DRAINING
 * liveness      yes       yes        yes     the process answers; where it does not, only a new start helps
 * startup       no        yes        yes     it has opened what it needs; until then nobody should be impatient
 * readiness     no        yes        no      calls may be sent to it
 */
export const PROBES = ['liveness', 'startup', 'readiness'] as const;
export type Probe = (typeof PROBES)[number];

/** A probe asks for one thing and goes; ten are many. */
const MAX_CALLS = 10;
const MAX_REQUEST_BYTES = 1024;

/**
 * Answers probes on an address of its own, from the first moment of a service, without TLS: Kubernetes' gRPC probes speak
 * none, and what is told here is no secret.
 */
export class ProbeServer {
  readonly #health = new HealthImplementation({
    liveness: 'SERVING',
    startup: 'NOT_SERVING',
    readiness: 'NOT_SERVING',
  });
  readonly #server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': MAX_CALLS,
    'grpc.keepalive_time_ms': DEFAULT_LIMITS.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': DEFAULT_LIMITS.keepaliveTimeoutMs,
  });
  readonly #listener: ConnectionListener;
  #address = '';

  private constructor() {
    this.#health.addToServer(this.#server);
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = new ConnectionListener({
      tls: undefined,
      handshakeTimeoutMs: DEFAULT_LIMITS.handshakeTimeoutMs,
      take: (socket) => injector.injectConnection(socket),
    });
  }

  /** Listens on `address`, "host:port"; rejects when it cannot, naming it. */
  static async start(address: string): Promise<ProbeServer> {
    const probes = new ProbeServer();
    try {
      const port = await probes.#listener.listen(address);
      probes.#address = address.replace(/\d+$/, String(port));
      return probes;
    } catch (error) {
      throw new Error(`Cannot listen for probes on ${address}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Where it answers, "host:port". */
  get address(): string {
    return this.#address;
  }

  /** Says that the service serves, or that it no longer takes calls. */
  setServing(serving: boolean): void {
    if (serving) this.#health.setStatus('startup', 'SERVING');
    this.#health.setStatus('readiness', serving ? 'SERVING' : 'NOT_SERVING');
  }

  close(): void {
    this.#listener.close();
    this.#server.forceShutdown();
    this.#listener.dropAll();
  }
}
