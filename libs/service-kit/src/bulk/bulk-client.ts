import { status } from '@grpc/grpc-js';
import { startClientCall } from '@lunastream/telemetry';
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { ConnectionSecurity } from '../connection-security.ts';
import { BulkCall, type BulkReceiver, type OpenBulkCall } from './bulk-call.ts';
import { BulkConnection, type ConnectionLimits } from './bulk-connection.ts';

/** A server-streaming method, as ts-proto generates it. */
export interface BulkMethod<Request> {
  /** "/lunastream.augment.v1.AugmentationService/StreamSamples". */
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
}

/** Where a BulkClient connects to, and how. */
export interface BulkClientOptions {
  /** "host:port". */
  readonly address: string;
  readonly security: ConnectionSecurity;
  /** Name that the server's certificate must have, where `address` is only the number that the name stands for. */
  readonly serverName: string | undefined;
  /** What connections without TLS are read into, where their bytes are wanted there; several clients may share it. */
  readonly receiveBuffer?: Buffer | undefined;
  readonly limits: ConnectionLimits & {
    /** Longest message that is taken. */
    readonly maxMessageBytes: number;
  };
}

/**
 * A gRPC client for server streams of large messages, which hands them over piece by piece where they were received: no
 * message is ever in memory of its own. Connects when first used, and again with the first call after a connection ended;
 * a call that finds none ends as UNAVAILABLE. Never pauses a stream: for callers that have a place for whatever they ask for.
 */
export class BulkClient {
  readonly #options: BulkClientOptions;
  readonly #calls = new Set<BulkCall>();
  #connection: BulkConnection | undefined;
  #isClosed = false;

  /** @throws InsecureConnectionError when the connection would leave this machine without TLS, and that is not allowed. */
  constructor(options: BulkClientOptions) {
    options.security.assertMayConnect(options.address);
    this.#options = options;
  }

  /** Calls `method`; `receiver` hears of it later, never before this returns. */
  call<Request>(method: BulkMethod<Request>, request: Request, receiver: BulkReceiver): OpenBulkCall {
    const headers = {
      ':method': 'POST',
      ':path': method.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'lunastream',
    };
    const trace = startClientCall(method.path, (name, value) => Object.assign(headers, { [name]: value }));
    const call = new BulkCall(receiver, {
      maxMessageBytes: this.#options.limits.maxMessageBytes,
      onEnd: (result) => {
        this.#calls.delete(call);
        trace.end(result);
      },
    });
    this.#calls.add(call);
    const body = framed(method.requestSerialize(request));
    const connection = this.#connect();
    const fail = (cause: unknown) =>
      call.fail({
        code: status.UNAVAILABLE,
        details: `No connection established to ${this.#options.address}: ${(cause as Error).message}`,
      });
    connection.ready.then(() => {
      if (call.isEnded) return;
      try {
        const stream = connection.request(headers, body, (...piece) => call.data(...piece));
        follow(call, stream, connection);
      } catch (cause) {
        fail(connection.endReason ?? cause);
      }
    }, fail);
    return call;
  }

  /** Ends the connection; calls under way end as CANCELLED. */
  close(): void {
    this.#isClosed = true;
    this.#connection?.destroy(new Error('the client was closed'));
    for (const call of this.#calls) {
      call.fail({ code: status.CANCELLED, details: 'the client was closed' });
    }
  }

  #connect(): BulkConnection {
    if (this.#connection?.isUsable === true) return this.#connection;
    const { address, security, serverName, receiveBuffer, limits } = this.#options;
    const destination = { address, tls: security.tls, serverName, receiveBuffer };
    this.#connection = new BulkConnection(destination, limits);
    if (this.#isClosed) this.#connection.destroy(new Error('the client was closed'));
    return this.#connection;
  }
}

/** A request as it travels: not compressed, its length, the message. */
function framed(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

/** Tells `call` what becomes of its stream. */
function follow(call: BulkCall, stream: ClientHttp2Stream, connection: BulkConnection): void {
  call.cancelWith(() => stream.close(constants.NGHTTP2_CANCEL));
  let streamError: Error | undefined;
  stream.on('error', (error: Error) => (streamError = error));
  stream.once('response', (headers) => call.headers(headers));
  stream.once('trailers', (trailers: IncomingHttpHeaders) => call.trailers(trailers));
  stream.once('close', () => {
    // A connection that ends closes its streams before it says why.
    const endReason = connection.endReason ?? (connection.isDestroyed ? streamError : undefined);
    call.streamClosed(stream.rstCode, endReason);
  });
}
