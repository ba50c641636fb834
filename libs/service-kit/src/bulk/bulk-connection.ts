import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { dial, type Destination } from './dial.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { FrameBoundary, windowUpdate } from './window-updates.ts';

/** Receives the payload of one stream's DATA frames: `bytes` from `start` to `end`, which hold it until this returns. */
export type OnData = (bytes: Buffer, start: number, end: number) => void;

/** How a connection behaves. */
export interface ConnectionLimits {
  /** What a server may send on one stream before it is told that the client took it. */
  readonly windowBytes: number;
  /** While streams are open, the server is asked this often whether it is still there. */
  readonly keepaliveTimeMs: number;
  /** One that has not answered by then is gone. */
  readonly keepaliveTimeoutMs: number;
}

/** Of all streams together: each has a window of its own, and what comes is taken at once. */
const CONNECTION_WINDOW_BYTES = 2 ** 30;

interface OpenStream {
  readonly onData: OnData;
  /** Taken since the server was last told. */
  takenBytes: number;
}

/**
 * An HTTP/2 connection whose DATA frames are handed over where they lie in the receive buffer. All other frames go to
 * Node's own HTTP/2, which never sees that there is data: it opens streams, reads headers, answers pings and settings. Its
 * own way with data takes a buffer and an event for each frame of 16 kB, more than half the time of receiving.
 */
export class BulkConnection {
  /** Resolves when streams may be opened; rejects with what keeps them from it. */
  readonly ready: Promise<void>;
  readonly #limits: ConnectionLimits;
  readonly #socket: Socket;
  /** What Node's HTTP/2 takes for its socket. */
  readonly #others: Duplex;
  readonly #streams = new Map<number, OpenStream>();
  readonly #boundary = new FrameBoundary();
  readonly #keepaliveTimer: NodeJS.Timeout;
  #session: ClientHttp2Session | undefined;
  /** Window updates that wait for the end of a frame that is being sent. */
  #updates: Buffer[] = [];
  #takenBytes = 0;
  #openCount = 0;
  #endReason: Error | undefined;

  constructor(destination: Destination, limits: ConnectionLimits) {
    this.#limits = limits;
    this.#others = this.#duplex();
    const splitter = new FrameSplitter({
      beginData: (streamId, sizeBytes) => this.#take(streamId, sizeBytes),
      data: (streamId, bytes, start, end) => this.#streams.get(streamId)?.onData(bytes, start, end),
      other: (bytes) => void this.#others.push(bytes),
    });
    const { socket, connected } = dial(destination, (bytes, length) => {
      try {
        splitter.push(bytes, length);
      } catch (error) {
        this.destroy(error as Error);
      }
    });
    this.#socket = socket;
    this.#keepaliveTimer = setInterval(() => this.#keepAlive(), limits.keepaliveTimeMs).unref();
    socket.on('error', (error: Error) => (this.#endReason ??= error));
    socket.on('close', () => this.#onClose());
    this.ready = connected.then(() => this.#begin(destination.address));
    // Whoever opens a stream sees it; a connection that nobody waits for any more may fail quietly.
    this.ready.catch(() => undefined);
  }

  /** Whether streams can still be opened, now or once it is ready. */
  get isUsable(): boolean {
    return this.#endReason === undefined && this.#session?.closed !== true;
  }

  /** Whether it has ended, with all its streams. */
  get isDestroyed(): boolean {
    return this.#session?.destroyed === true;
  }

  /** Why the connection ended; undefined while it lives. */
  get endReason(): Error | undefined {
    return this.#endReason;
  }

  /** Sends a request with one body. Its `close` event comes last. Only on a connection that is ready. */
  request(headers: OutgoingHttpHeaders, body: Buffer, onData: OnData): ClientHttp2Stream {
    const stream = this.#session!.request(headers);
    this.#openCount++;
    let streamId: number | undefined;
    const begin = () => {
      streamId = stream.id!;
      this.#streams.set(streamId, { onData, takenBytes: 0 });
    };
    if (stream.pending) stream.once('ready', begin);
    else begin();
    stream.once('close', () => {
      this.#openCount--;
      this.#streams.delete(streamId!);
    });
    // Without data there is nothing to read but the end.
    stream.resume();
    stream.end(body);
    return stream;
  }

  /** Ends the connection and every stream on it. Repeatable; the first reason counts. */
  destroy(reason: Error): void {
    this.#endReason ??= reason;
    this.#socket.destroy();
  }

  #begin(address: string): void {
    const session = connect(`http://${address}`, {
      createConnection: () => this.#others,
      settings: { enablePush: false, initialWindowSize: this.#limits.windowBytes },
    });
    this.#session = session;
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    session.on('error', (error: Error) => this.destroy(error));
    // Closed by the server's GOAWAY, once the streams that it still answers are done.
    session.on('close', () => this.destroy(new Error('the server closed the connection')));
  }

  #duplex(): Duplex {
    return new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => this.#send([bytes], done),
      writev: (parts, done) =>
        this.#send(
          parts.map(({ chunk }) => chunk as Buffer),
          done,
        ),
      destroy: (error, done) => {
        this.destroy(error ?? new Error('the connection was closed'));
        done(error);
      },
    });
  }

  #send(parts: readonly Buffer[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const part of parts) {
      this.#boundary.push(part);
      this.#socket.write(part);
    }
    this.#sendUpdates();
    this.#socket.uncork();
    done();
  }

  #take(streamId: number, sizeBytes: number): void {
    this.#takenBytes += sizeBytes;
    if (this.#takenBytes > CONNECTION_WINDOW_BYTES / 2) {
      this.#updates.push(windowUpdate(0, this.#takenBytes));
      this.#takenBytes = 0;
    }
    const stream = this.#streams.get(streamId);
    // Of a stream that was cancelled there may be more on the way.
    if (stream !== undefined) {
      stream.takenBytes += sizeBytes;
      if (stream.takenBytes > this.#limits.windowBytes / 2) {
        this.#updates.push(windowUpdate(streamId, stream.takenBytes));
        stream.takenBytes = 0;
      }
    }
    if (this.#updates.length > 0) this.#sendUpdates();
  }

  #sendUpdates(): void {
    if (this.#updates.length === 0 || !this.#boundary.isHere) return;
    const updates = this.#updates;
    this.#updates = [];
    for (const update of updates) this.#socket.write(update);
  }

  #keepAlive(): void {
    if (this.#openCount === 0 || this.#session === undefined || this.#session.destroyed) return;
    const { keepaliveTimeoutMs } = this.#limits;
    const silent = new Error(`the server did not answer a ping within ${keepaliveTimeoutMs} ms`);
    const timer = setTimeout(() => this.destroy(silent), keepaliveTimeoutMs).unref();
    // Called too when the session ends.
    this.#session.ping(() => clearTimeout(timer));
  }

  #onClose(): void {
    this.#endReason ??= new Error('the server closed the connection');
    clearInterval(this.#keepaliveTimer);
    // What the server sent before it went away is read first.
    const session = this.#session;
    this.#others.once('end', () => session?.destroy());
    this.#others.push(null);
  }
}
