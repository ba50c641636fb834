import { status } from '@grpc/grpc-js';
import { copySampleVoxels, sampleBytes, type StreamSamplesResponse } from '@lunastream/contracts';
import { errorText, isServiceError, readStream } from '@lunastream/service-kit';
import { voxelCount } from '@lunastream/volume';
import { SampleUnavailableError } from './errors.ts';
import { WIRE_BORDERS, WIRE_VOXEL_TYPES } from './run-wire.ts';
import type { SamplePlan, SampleSource } from './sample-source.ts';
import { WorkerPool, type PooledWorker, type SampleWorker } from './worker-pool.ts';

/** How samples are leased. */
export interface LeaseOptions {
  readonly leaseSize: number;
  readonly leasesPerWorker: number;
  /** Bytes of samples that may be leased ahead of the consumer. */
  readonly bufferBytes: number;
}

/**
 * Gives out leases of ordinals to the least-loaded workers and puts what comes back in ordinal order.
 *
 * A lease that breaks costs nothing: what has not arrived is leased again, to any worker, with equal bytes. A worker
 * that fails rests for a moment, doubling up to two seconds. While no worker answers, the stream waits.
 */
export class LeaseScheduler implements SampleSource {
  readonly #workers: WorkerPool;
  readonly #options: LeaseOptions;
  #latest: LeaseSession | undefined;

  constructor(workers: readonly SampleWorker[], options: LeaseOptions) {
    this.#workers = new WorkerPool(workers, options.leasesPerWorker);
    this.#options = options;
  }

  async *stream(plan: SamplePlan, signal: AbortSignal): AsyncGenerator<Float32Array, void, undefined> {
    const session = new LeaseSession(this.#workers, this.#options, plan);
    this.#latest = session;
    const onAbort = () => session.fail(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      for (let ordinal = 0; ordinal < plan.samples.length; ordinal++) yield await session.take(ordinal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      session.close();
    }
  }

  borderFraction(): number {
    return this.#latest?.borderFraction ?? 0;
  }

  waitingFor(): string | undefined {
    return this.#workers.waitingFor();
  }
}

/** The leases of one plan. */
class LeaseSession {
  readonly #workers: WorkerPool;
  readonly #options: LeaseOptions;
  readonly #plan: SamplePlan;
  readonly #windowSamples: number;
  readonly #stopListening: () => void;
  readonly #closed = new AbortController();
  readonly #arrived = new Map<number, Float32Array>();
  /** Ordinals of broken leases. */
  readonly #returned: number[] = [];
  #borderVoxels = 0;
  #arrivedCount = 0;
  #nextUnleased = 0;
  #nextTaken = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(workers: WorkerPool, options: LeaseOptions, plan: SamplePlan) {
    this.#workers = workers;
    this.#options = options;
    this.#plan = plan;
    const sampleBytes = voxelCount(plan.chunkShape) * Float32Array.BYTES_PER_ELEMENT;
    this.#windowSamples = Math.max(options.leaseSize, Math.floor(options.bufferBytes / sampleBytes));
    this.#stopListening = workers.onFree(() => this.#dispatch());
  }

  /** Mean over the samples that arrived. */
  get borderFraction(): number {
    const voxels = this.#arrivedCount * voxelCount(this.#plan.chunkShape);
    return voxels === 0 ? 0 : this.#borderVoxels / voxels;
  }

  /** Waits for the sample of `ordinal`; ordinals are taken in order. */
  async take(ordinal: number): Promise<Float32Array> {
    this.#nextTaken = ordinal;
    this.#dispatch();
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const sample = this.#arrived.get(ordinal);
      if (sample !== undefined) {
        this.#arrived.delete(ordinal);
        return sample;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** Cancels every lease. */
  close(): void {
    this.#stopListening();
    this.#closed.abort(new Error('the epoch ended'));
  }

  /** Gives out leases while there are both ordinals and workers for them. */
  #dispatch(): void {
    for (;;) {
      if (this.#closed.signal.aborted || this.#failure !== undefined || !this.#hasLease()) return;
      const worker = this.#workers.acquire();
      if (worker === undefined) return;
      void this.#lease(worker, this.#nextLease());
    }
  }

  /** Ordinals that may be leased next, up to this one: what is ahead of the consumer is bounded. */
  get #leaseEnd(): number {
    const { samples } = this.#plan;
    const windowEnd = this.#nextTaken + this.#windowSamples;
    return Math.min(samples.length, windowEnd, this.#nextUnleased + this.#options.leaseSize);
  }

  /** A lease is full, or the plan's last: else each sample taken would become a lease of one. */
  #hasLease(): boolean {
    if (this.#returned.length > 0) return true;
    const end = this.#leaseEnd;
    const isFull = end - this.#nextUnleased === this.#options.leaseSize;
    return end > this.#nextUnleased && (isFull || end === this.#plan.samples.length);
  }

  /** Ordinals of broken leases first: the consumer waits for them. */
  #nextLease(): number[] {
    if (this.#returned.length > 0) return this.#returned.splice(0, this.#options.leaseSize);
    const end = this.#leaseEnd;
    const ordinals: number[] = [];
    while (this.#nextUnleased < end) ordinals.push(this.#nextUnleased++);
    return ordinals;
  }

  async #lease(worker: PooledWorker, ordinals: readonly number[]): Promise<void> {
    const missing = new Set(ordinals);
    try {
      const stream = worker.client.streamSamples(this.#toRequest(ordinals));
      for await (const response of readStream(stream, this.#closed.signal)) {
        this.#receive(response, missing);
        this.#workers.noteAnswer(worker);
      }
      if (missing.size > 0) throw new Error('the worker ended a lease early');
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#onBrokenLease(worker, error, ordinals[0]!);
    } finally {
      this.#returned.push(...missing);
      this.#returned.sort((a, b) => a - b);
      this.#workers.release(worker);
    }
  }

  #receive({ ordinal, result }: StreamSamplesResponse, missing: Set<number>): void {
    if (result === undefined || !missing.has(ordinal)) {
      throw new Error(`internal: the worker sent an answer nobody asked for, ordinal ${ordinal}`);
    }
    if (result.$case === 'error') throw new SampleUnavailableError(ordinal, result.value.message);
    const sample = new Float32Array(voxelCount(this.#plan.chunkShape));
    const { voxelsHu, voxelType } = result.value;
    const expectedBytes = sampleBytes(sample.length, voxelType);
    if (voxelsHu.byteLength !== expectedBytes) {
      throw new SampleUnavailableError(
        ordinal,
        `a worker sent ${voxelsHu.byteLength} bytes, expected ${expectedBytes}`,
      );
    }
    copySampleVoxels(result.value, sample);
    missing.delete(ordinal);
    // Whole voxels add up to the same in any order of arrival.
    this.#borderVoxels += Math.round(result.value.borderFraction * sample.length);
    this.#arrivedCount++;
    this.#arrived.set(ordinal, sample);
    if (ordinal === this.#nextTaken) this.#wake?.();
  }

  #onBrokenLease(worker: PooledWorker, error: unknown, firstOrdinal: number): void {
    if (error instanceof SampleUnavailableError) return this.fail(error);
    if (isServiceError(error) && isRefusal(error.code)) {
      return this.fail(new SampleUnavailableError(firstOrdinal, error.details, { cause: error }));
    }
    this.#workers.rest(worker, errorText(error));
  }

  #toRequest(ordinals: readonly number[]) {
    const { samples, voxelType, border, ...plan } = this.#plan;
    const { runSeed, epoch } = plan;
    const placeOf = (ordinal: number) => {
      const { seriesUid, centerXyzMm } = samples[ordinal]!;
      const [x, y, z] = centerXyzMm;
      return { ordinal, seriesUid, centerXyzMm: { x, y, z } };
    };
    return {
      ...plan,
      voxelType: WIRE_VOXEL_TYPES[voxelType],
      border: WIRE_BORDERS[border],
      leaseId: `${runSeed}/${epoch}/${ordinals[0]}+${ordinals.length}`,
      samples: ordinals.map((ordinal) => {
        const { partnerOrdinal } = samples[ordinal]!;
        const partner = partnerOrdinal === undefined ? undefined : placeOf(partnerOrdinal);
        return { ...placeOf(ordinal), partner };
      }),
    };
  }
}

/** Statuses that another worker would answer alike: leasing again is in vain. */
function isRefusal(code: status): boolean {
  return code === status.INVALID_ARGUMENT || code === status.NOT_FOUND || code === status.FAILED_PRECONDITION;
}
