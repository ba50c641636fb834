import type { ArrivingVoxels } from '@lunastream/augmentation';
import type { Sample, StreamSamplesRequest, StreamSamplesResponse } from '@lunastream/contracts';
import type { SampleCall } from './sample-client.ts';
import type { PooledWorker } from './worker-pool.ts';

/** What a lease tells its session. */
export interface LeaseEvents {
  /** Where the voxels of a sample go that is arriving, or undefined to get it as an answer, whole. */
  place(lease: Lease, head: StreamSamplesResponse, voxelBytes: number): Uint8Array | undefined;
  /** The voxels of the latest sample that got a place are there. */
  placed(lease: Lease): void;
  answer(lease: Lease, response: StreamSamplesResponse): void;
  /** The lease is open and has been for a while; told again and again. `isSilent`: nothing came since the last time. */
  overdue(lease: Lease, isSilent: boolean): void;
  /** Told once. `error` is undefined when the worker sent its last message. */
  end(lease: Lease, error: unknown): void;
}

/** What a lease is made of. */
export interface LeaseParts {
  /** It is overdue when it is open for as long, and again each time after. */
  readonly overdueMs: number;
  readonly events: LeaseEvents;
  readonly voxels: ArrivingVoxels;
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
  /** The sample whose voxels are on their way to its place. */
  arriving: { readonly ordinal: number; readonly sample: Sample } | undefined;
  /** Looks at those voxels. */
  readonly voxels: ArrivingVoxels;
  readonly #events: LeaseEvents;
  readonly #call: SampleCall;
  readonly #overdueTimer: NodeJS.Timeout;
  #owedBefore: number;
  #isEnded = false;

  constructor(
    worker: PooledWorker,
    request: StreamSamplesRequest,
    { overdueMs, events, voxels }: LeaseParts,
  ) {
    this.worker = worker;
    this.voxels = voxels;
    this.ordinals = request.samples.map(({ ordinal }) => ordinal);
    this.owed = new Set(this.ordinals);
    this.#owedBefore = this.owed.size;
    this.#events = events;
    this.#overdueTimer = setInterval(() => this.#onOverdue(), overdueMs).unref();
    this.#call = worker.client.streamSamples(request, {
      place: (head, voxelBytes) => events.place(this, head, voxelBytes),
      voxels: (bytes, start, end) => voxels.add(bytes, start, end),
      placed: () => events.placed(this),
      message: (response) => events.answer(this, response),
      closed: (error) => this.#end(error),
    });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Ends the stream; the session hears `error`. */
  cancel(error: Error): void {
    if (this.#isEnded) return;
    // First, so that nothing is written any more once the session hears of the end.
    this.#call.cancel();
    this.#end(error);
  }

  /** Nothing more is written to the place of the sample that is arriving: another worker's is there. */
  dropArriving(): void {
    this.arriving = undefined;
    this.#call.dropVoxels();
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
