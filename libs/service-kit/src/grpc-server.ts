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
import { MAX_MESSAGE_BYTES } from './grpc-client.ts';
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

/** A gRPC server with health (`grpc.health.v1`) and reflection beside its services. */
export class GrpcServer {
  readonly #server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  });
  readonly #health: HealthImplementation;
  readonly #names: readonly string[];
  readonly #streams: StreamRegistry;

  constructor(services: readonly ServedService[], streams: StreamRegistry) {
    this.#streams = streams;
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
   * @throws Error when the address is taken or cannot be used; the message names it.
   */
  async listen(address: string): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(new Error(`Cannot listen on ${address}: ${error.message}`, { cause: error }));
      });
    });
    return address.replace(/\d+$/, String(port));
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
    // Health watchers and reflection streams are not ours to end; what is still open after a moment is cut.
    await Promise.race([
      new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve())),
      new Promise<void>((resolve) => setTimeout(resolve, 250).unref()),
    ]);
    this.#server.forceShutdown();
  }
}

function serviceName(definition: ServiceDefinition): string {
  const path = Object.values(definition)[0]?.path;
  if (path === undefined) throw new Error('internal: a gRPC service without methods');
  return path.slice(1, path.lastIndexOf('/'));
}
