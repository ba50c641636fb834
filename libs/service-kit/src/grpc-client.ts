import {
  type ChannelCredentials,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { isIP } from 'node:net';
import { traceClientCalls } from '@lunastream/telemetry';
import { BulkClient } from './bulk/bulk-client.ts';
import { LOOPBACK_ONLY, type ConnectionSecurity } from './connection-security.ts';
import { hostOf, isLoopback } from './peer-address.ts';

/** Largest message either side accepts: a 128³ float32 sample with room to spare. */
export const MAX_MESSAGE_BYTES = 16 * 2 ** 20;

/**
 * HTTP/2 window of a client. Bulk bytes flow from server to client, and Node's default of 64 KiB stalls the stream at
 * every fifth of a sample; measured over loopback, 1 MiB triples the rate and 8 MiB adds nothing.
 */
const FLOW_CONTROL_WINDOW_BYTES = 2 ** 20;

/**
 * The same for clients of bulk streams. They take what comes at once, so that no window is needed to bound what waits; one
 * that is larger than most leases spares a write, and the server a read, for every half of it.
 */
const BULK_WINDOW_BYTES = 2 ** 25;

/** A peer that vanished without closing its connection is noticed within half a minute. */
const KEEPALIVE_TIME_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** Options of every channel between our services. */
export const CHANNEL_OPTIONS: ClientOptions = {
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
};

/** A generated client's constructor. */
export type ClientConstructor<Client> = new (
  address: string,
  channelCredentials: ChannelCredentials,
  options: ClientOptions,
) => Client;

/** How a client connects; all of it has a default. */
export interface ConnectOptions {
  /** Without it: no TLS, and to this machine only. */
  readonly security?: ConnectionSecurity;
  /** Name that the server's certificate must have where `address` is only the number that the name stands for. */
  readonly serverName?: string;
}

/** How a client of bulk streams connects; all of it has a default. */
export interface BulkConnectOptions extends ConnectOptions {
  /** What connections without TLS are read into, where their bytes are wanted there; several clients may share it. */
  readonly receiveBuffer?: Buffer;
}

/**
 * Makes a client of `address` ("host:port") with our channel options. Connects when first used.
 * @throws InsecureConnectionError when the connection would leave this machine without TLS, and that is not allowed.
 */
export function createClient<Client>(
  Constructor: ClientConstructor<Client>,
  address: string,
  { security = LOOPBACK_ONLY, serverName = nameOf(address) }: ConnectOptions = {},
): Client {
  const options: ClientOptions = {
    ...CHANNEL_OPTIONS,
    interceptors: [traceClientCalls],
    ...(security.tls === undefined || serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName }),
  };
  return new Constructor(address, security.channelCredentials(address), options);
}

/**
 * Makes a client of server streams of large messages at `address` ("host:port"), with the limits of our channels. Connects
 * when first used.
 * @throws InsecureConnectionError when the connection would leave this machine without TLS, and that is not allowed.
 */
export function createBulkClient(
  address: string,
  { security = LOOPBACK_ONLY, serverName = nameOf(address), receiveBuffer }: BulkConnectOptions = {},
): BulkClient {
  const limits = {
    windowBytes: BULK_WINDOW_BYTES,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    keepaliveTimeMs: KEEPALIVE_TIME_MS,
    keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
  };
  return new BulkClient({ address, security, serverName, receiveBuffer, limits });
}

/** TLS names no numbers (RFC 6066, section 3): 127.0.0.1 is asked for as "localhost". */
function nameOf(address: string): string | undefined {
  return isIP(hostOf(address)) !== 0 && isLoopback(address) ? 'localhost' : undefined;
}

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline?: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/** Calls a unary method; rejects with the ServiceError, whose `details` are for people. */
export function callUnary<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: { readonly metadata: Metadata; readonly timeoutMs: number },
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(request, options.metadata, { deadline: Date.now() + options.timeoutMs }, (error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}

/**
 * Iterates over a server stream and cancels it when the loop is left early or `signal` aborts. Reads no faster than
 * the loop takes.
 * @throws the reason of `signal` when it aborted, else the stream's ServiceError.
 */
export async function* readStream<Response>(
  stream: ClientReadableStream<Response>,
  signal?: AbortSignal,
): AsyncGenerator<Response, void, undefined> {
  const cancel = () => stream.cancel();
  // A stream that is cancelled after its loop was left emits an error that nobody waits for any more.
  stream.on('error', () => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const message of stream) yield message as Response;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}
