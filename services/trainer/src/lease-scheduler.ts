import { status } from '@grpc/grpc-js';
import type { AugmentationServiceClient, StreamSamplesResponse } from '@lunastream/contracts';
import { errorText, isServiceError, readStream } from '@lunastream/service-kit';
import { voxelCount } from '@lunastream/volume';
import { SampleUnavailableError } from './errors.ts';
import type { SamplePlan, SampleSource } from './sample-source.ts';

/** An augmentation worker as the scheduler sees it. */
export interface SampleWorker {
  readonly address: string;
  readonly client: Pick<AugmentationServiceClient, 'streamSamples'>;
}

/** How samples are leased. */
export interface LeaseOptions {
  readonly leaseSize: number;
  readonly leasesPerWorker: number;
  /** Bytes of samples that may be leased ahead of the consumer. */
  readonly bufferBytes: number;
}

const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 2_000;

/** A worker with what this process knows of it. */
interface WorkerState extends SampleWorker {
  leases: number;
  failures: number;
  resting: boolean;
  lastError: string | undefined;
}

/**
 * Gives out leases of ordinals to the least-loaded workers and puts what comes back in ordinal order.
 *
 * A lease that breaks costs nothing: what has not arrived is leased again, to any worker, with equal bytes. A worker
 * that fails rests for a moment, doubling up to two seconds. While no worker answers, the stream waits.
 */
export class LeaseScheduler implements SampleSource {
  readonly #workers: readonly WorkerState[];
  readonly #options: LeaseOptions;

  constructor(workers: readonly SampleWorker[], options: LeaseOptions) {
    this.#workers = workers.map((worker) => ({
      ...worker,
      leases: 0,
      failures: 0,
      resting: false,
      lastError: undefined,
    }));
    this.#options = options;
  }

  async *stream(plan: SamplePlan, signal: AbortSignal): AsyncGenerator<Float32Array, void, undefined> {
    const session = new LeaseSession(this.#workers, this.#options, plan);
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

  waitingFor(): string | undefined {
    if (this.#workers.some(({ failures }) => failures === 0)) return undefined;
    const workers = this.#workers.map(({ address, lastError }) => `${address} (${lastError})`).join(', ');
    return `augmentation workers: ${workers}`;
  }
}

/** The leases of one plan. */
class LeaseSession {
  readonly #workers: readonly WorkerState[];
  readonly #options: LeaseOptions;
  readonly #plan: SamplePlan;
  readonly #windowSamples: number;
  readonly #closed = new AbortController();
  readonly #arrived = new Map<number, Float32Array>();
  /** Ordinals of broken leases. */
  readonly #returned: number[] = [];
  #nextUnleased = 0;
  #nextTaken = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(workers: readonly WorkerState[], options: LeaseOptions, plan: SamplePlan) {
    this.#workers = workers;
    this.#options = options;
    this.#plan = plan;
    const sampleBytes = voxelCount(plan.chunkShape) * Float32Array.BYTES_PER_ELEMENT;
    this.#windowSamples = Math.max(options.leaseSize, Math.floor(options.bufferBytes / sampleBytes));
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
    this.#closed.abort(new Error('the epoch ended'));
  }

  #dispatch(): void {
    while (!this.#closed.signal.aborted) {
      const worker = this.#leastLoaded();
      if (worker === undefined) return;
      const ordinals = this.#nextLease();
      if (ordinals.length === 0) return;
      void this.#lease(worker, ordinals);
    }
  }

  #leastLoaded(): WorkerState | undefined {
    let least: WorkerState | undefined;
    for (const worker of this.#workers) {
      if (worker.resting || worker.leases >= this.#options.leasesPerWorker) continue;
      if (least === undefined || worker.leases < least.leases) least = worker;
    }
    return least;
  }

  /** Ordinals of broken leases first: the consumer waits for them. */
  #nextLease(): number[] {
    const { leaseSize } = this.#options;
    if (this.#returned.length > 0) return this.#returned.splice(0, leaseSize);
    const end = Math.min(
      this.#plan.samples.length,
      this.#nextTaken + this.#windowSamples,
      this.#nextUnleased + leaseSize,
    );
    const ordinals: number[] = [];
    while (this.#nextUnleased < end) ordinals.push(this.#nextUnleased++);
    return ordinals;
  }

  async #lease(worker: WorkerState, ordinals: readonly number[]): Promise<void> {
    const missing = new Set(ordinals);
    worker.leases++;
    try {
      const stream = worker.client.streamSamples(this.#toRequest(ordinals));
      for await (const response of readStream(stream, this.#closed.signal)) this.#receive(response, missing);
      if (missing.size > 0) throw new Error('the worker ended a lease early');
      worker.failures = 0;
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#onBrokenLease(worker, error, ordinals[0]!);
    } finally {
      worker.leases--;
      if (missing.size > 0) {
        this.#returned.push(...missing);
        this.#returned.sort((a, b) => a - b);
      }
      this.#dispatch();
    }
  }

  #receive({ ordinal, result }: StreamSamplesResponse, missing: Set<number>): void {
    if (result === undefined || !missing.has(ordinal)) {
      throw new Error(`internal: the worker sent an answer nobody asked for, ordinal ${ordinal}`);
    }
    if (result.$case === 'error') throw new SampleUnavailableError(ordinal, result.value.message);
    const sample = new Float32Array(voxelCount(this.#plan.chunkShape));
    if (result.value.voxelsHu.byteLength !== sample.byteLength) {
      throw new SampleUnavailableError(
        ordinal,
        `a worker sent ${result.value.voxelsHu.byteLength} bytes, expected ${sample.byteLength}`,
      );
    }
    // A received Buffer may sit at any offset of a pool that it shares with other messages: copy the bytes.
    new Uint8Array(sample.buffer).set(result.value.voxelsHu);
    missing.delete(ordinal);
    this.#arrived.set(ordinal, sample);
    if (ordinal === this.#nextTaken) this.#wake?.();
  }

  #onBrokenLease(worker: WorkerState, error: unknown, firstOrdinal: number): void {
    if (error instanceof SampleUnavailableError) return this.fail(error);
    if (isServiceError(error) && isRefusal(error.code)) {
      return this.fail(new SampleUnavailableError(firstOrdinal, error.details, { cause: error }));
    }
    worker.lastError = errorText(error);
    if (worker.resting) return;
    worker.resting = true;
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** worker.failures++);
    setTimeout(() => {
      worker.resting = false;
      this.#dispatch();
    }, restMs);
  }

  #toRequest(ordinals: readonly number[]) {
    const { dataset, datasetFingerprint, runSeed, epoch, chunkShape, augmentation, samples } = this.#plan;
    return {
      leaseId: `${runSeed}/${epoch}/${ordinals[0]}+${ordinals.length}`,
      dataset,
      datasetFingerprint,
      runSeed,
      epoch,
      chunkShape,
      augmentation: { ...augmentation },
      samples: ordinals.map((ordinal) => {
        const { seriesUid, centerXyzMm } = samples[ordinal]!;
        const [x, y, z] = centerXyzMm;
        return { ordinal, seriesUid, centerXyzMm: { x, y, z } };
      }),
    };
  }
}

/** Statuses that another worker would answer alike: leasing again is in vain. */
function isRefusal(code: status): boolean {
  return code === status.INVALID_ARGUMENT || code === status.NOT_FOUND || code === status.FAILED_PRECONDITION;
}
