import type { ClientReadableStream } from '@grpc/grpc-js';
import type { StreamSamplesRequest, StreamSamplesResponse } from '@lunastream/contracts';
import type { PooledWorker } from './worker-pool.ts';

/** What a lease tells its session. */
export interface LeaseEvents {
  answer(lease: Lease, response: StreamSamplesResponse): void;
  /** The lease is open and has been for a while; told again and again. `isSilent`: nothing came since the last time. */
  overdue(lease: Lease, isSilent: boolean): void;
  /** Told once. `error` is undefined when the worker sent its last message. */
  end(lease: Lease, error: unknown): void;
}

/** Ordinals that one worker was asked for, while its stream is open. */
export class Lease {
  readonly worker: PooledWorker;
  readonly ordinals: readonly number[];
  /** Ordinals that this stream has not sent yet. */
  readonly owed: Set<number>;
  readonly startedMs = performance.now();
  /** Another worker was asked for what is owed. */
  isHedged = false;
  readonly #events: LeaseEvents;
  readonly #stream: ClientReadableStream<StreamSamplesResponse>;
  readonly #overdueTimer: NodeJS.Timeout;
  #owedBefore: number;
  #isEnded = false;

  constructor(
    worker: PooledWorker,
    request: StreamSamplesRequest,
    { overdueMs, events }: { readonly overdueMs: number; readonly events: LeaseEvents },
  ) {
    this.worker = worker;
    this.ordinals = request.samples.map(({ ordinal }) => ordinal);
    this.owed = new Set(this.ordinals);
    this.#owedBefore = this.owed.size;
    this.#events = events;
    this.#overdueTimer = setInterval(() => this.#onOverdue(), overdueMs).unref();
    this.#stream = worker.client.streamSamples(request);
    // Events instead of `for await`: no promise a message. Reading is never paused, because every sample has its place.
    this.#stream.on('data', (response: StreamSamplesResponse) => {
      if (!this.#isEnded) events.answer(this, response);
    });
    this.#stream.on('error', (error: unknown) => this.#end(error));
    this.#stream.on('end', () => this.#end(undefined));
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Ends the stream; the session hears `error`. */
  cancel(error: Error): void {
    if (this.#isEnded) return;
    this.#end(error);
    this.#stream.cancel();
  }

  #onOverdue(): void {
    const isSilent = this.owed.size === this.#owedBefore;
    this.#owedBefore = this.owed.size;
    this.#events.overdue(this, isSilent);
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#overdueTimer);
    this.#events.end(this, error);
  }
}
