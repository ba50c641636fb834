import {
  ServerInterceptingCall,
  status,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type { PeerInfo } from './connection-listener.ts';
import type { Logger } from './logger.ts';

type MethodDescriptor = Parameters<ServerInterceptor>[0];
type SendMessage = ServerInterceptingCall['sendMessage'];
type SendStatus = ServerInterceptingCall['sendStatus'];

/** What one server grants its clients. */
export interface ServerLimits {
  /** Calls answered at a time; health checks do not count. */
  readonly maxCalls: number;
  /** How long a client may leave an answer unread. */
  readonly stallTimeoutMs: number;
  /** How long a client may take to send its request. */
  readonly requestTimeoutMs: number;
  /** How long a client may take for its TLS handshake; ours take milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** Clients are asked this often whether they are still there. */
  readonly keepaliveTimeMs: number;
  /** One that has not answered by then is gone, or never spoke HTTP/2. */
  readonly keepaliveTimeoutMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxCalls: 256,
  stallTimeoutMs: 600_000,
  requestTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  keepaliveTimeMs: 20_000,
  keepaliveTimeoutMs: 20_000,
};

/** Probes must be answered when everything else is refused. */
const HEALTH_CHECK = '/grpc.health.v1.Health/Check';

/**
 * Bounds what clients can make a server hold: the number of calls, and the time in which a request must have arrived and
 * an answer must be read. A client that exceeds a time loses its whole connection: gRPC's own end of a call waits for the
 * client to read.
 */
export class CallGuard {
  readonly #limits: ServerLimits;
  readonly #drop: (peer: PeerInfo) => void;
  readonly #logger: Logger | undefined;
  #callCount = 0;

  constructor(limits: ServerLimits, drop: (peer: PeerInfo) => void, logger?: Logger) {
    this.#limits = limits;
    this.#drop = drop;
    this.#logger = logger;
  }

  /** The guard as grpc-js takes it. */
  readonly interceptor: ServerInterceptor = (method, call) => {
    if (method.path === HEALTH_CHECK) return new ServerInterceptingCall(call);
    if (this.#callCount >= this.#limits.maxCalls) return refused(method, call, this.#limits.maxCalls);
    this.#callCount++;
    const watch = new GuardedCall(method, call, {
      ...this.#limits,
      onStall: (doing) => this.#end(method, call, doing),
      onEnd: () => this.#callCount--,
    });
    return watch;
  };

  #end(method: MethodDescriptor, call: ServerInterceptingCallInterface, doing: string): void {
    this.#logger?.warn({ path: method.path, peer: call.getPeer() }, `connection closed: its client ${doing}`);
    this.#drop(call.getConnectionInfo());
  }
}

function refused(method: MethodDescriptor, call: ServerInterceptingCallInterface, maxCalls: number) {
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: () =>
          call.sendStatus({
            code: status.RESOURCE_EXHAUSTED,
            details: `Cannot answer ${method.path}: at most ${maxCalls} calls are answered at a time, got one more`,
          }),
      }),
  });
}

interface GuardedCallOptions extends ServerLimits {
  readonly onStall: (doing: string) => void;
  readonly onEnd: () => void;
}

/** A call whose client is watched: while its request is on the way, and while an answer waits to be taken. */
class GuardedCall extends ServerInterceptingCall {
  readonly #options: GuardedCallOptions;
  #requestTimer: NodeJS.Timeout | undefined;
  /** One for all messages, which looks how long the latest waits: a timer for each costs more than the look. */
  #stallTimer: NodeJS.Timeout | undefined;
  /** When what is not yet taken was sent; undefined while nothing waits. */
  #unreadSinceMs: number | undefined;

  constructor(method: MethodDescriptor, call: ServerInterceptingCallInterface, options: GuardedCallOptions) {
    super(call, {
      start: (next) =>
        next({
          onReceiveHalfClose: (proceed) => {
            clearTimeout(this.#requestTimer);
            proceed();
          },
          // grpc-js tells this of every call, however it ended.
          onCancel: () => {
            clearTimeout(this.#requestTimer);
            clearTimeout(this.#stallTimer);
            options.onEnd();
          },
        }),
    });
    this.#options = options;
    // Clients of streaming requests (server reflection) may take their time between messages.
    if (!method.requestStream) {
      const { requestTimeoutMs } = options;
      this.#requestTimer = setTimeout(
        () => options.onStall(`did not send its request within ${requestTimeoutMs} ms`),
        requestTimeoutMs,
      ).unref();
    }
  }

  override sendMessage(...[message, callback]: Parameters<SendMessage>): void {
    this.#expectReading();
    super.sendMessage(message, () => {
      this.#unreadSinceMs = undefined;
      callback();
    });
  }

  override sendStatus(...[ending]: Parameters<SendStatus>): void {
    this.#expectReading();
    super.sendStatus(ending);
  }

  #expectReading(): void {
    clearTimeout(this.#requestTimer);
    this.#unreadSinceMs = performance.now();
    this.#stallTimer ??= this.#lookAfter(this.#options.stallTimeoutMs);
  }

  #lookAfter(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#stallTimer = undefined;
      if (this.#unreadSinceMs === undefined) return;
      const { stallTimeoutMs, onStall } = this.#options;
      const leftMs = this.#unreadSinceMs + stallTimeoutMs - performance.now();
      if (leftMs > 0) this.#stallTimer = this.#lookAfter(leftMs);
      else onStall(`did not read its answer for ${stallTimeoutMs} ms`);
    }, delayMs).unref();
  }
}
