import { status } from '@grpc/grpc-js';
import { ArrivingVoxels, type ArrivalMemory } from '@lunastream/augmentation';
import type { Sample, StreamSamplesRequest, StreamSamplesResponse } from '@lunastream/contracts';
import { errorText, isServiceError } from '@lunastream/service-kit';
import { voxelCount } from '@lunastream/volume';
import { SampleUnavailableError } from '../errors.ts';
import { Lease, type LeaseEvents } from './lease.ts';
import type { LeaseCounts } from './lease-counts.ts';
import { PlaceList } from './place-list.ts';
import type { SamplePlan, SampleSourceEvents, SampleStream } from './sample-source.ts';
import { WIRE_BORDERS, WIRE_VOXEL_TYPES } from './sample-wire.ts';
import type { PooledWorker, WorkerPool } from './worker-pool.ts';

/** How samples are leased. */
export interface LeaseOptions {
  readonly leaseSize: number;
  /** A lease that is open for as long, and for several times as long as leases take, is hedged. */
  readonly hedgeAfterMs: number;
}

/** Several times as long as leases take: slower than that is not the spread of a healthy worker. */
const SLOW_FACTOR = 4;
/** Weight of the latest lease in the mean of how long leases take. */
const MEAN_WEIGHT = 0.1;

/** What a session works with. */
export interface LeaseSessionParts {
  readonly workers: WorkerPool;
  readonly options: LeaseOptions;
  readonly arrivals: ArrivalMemory;
  readonly counts: LeaseCounts;
  readonly plan: SamplePlan;
  readonly events: SampleSourceEvents;
}

/**
 * The leases of one plan. An ordinal goes through
 *
 *   planned ──fill──> placed ──lease──> leased ──answer──> there
 *                        └<── lease broke ──┘
 *
 * and may be leased twice at a time (hedged); what comes second is dropped. Only ordinals that have a place are leased, so
 * nothing waits in memory and a worker's stream is always read at full speed.
 */
export class LeaseSession implements SampleStream {
  readonly #parts: LeaseSessionParts;
  readonly #places: PlaceList;
  readonly #sampleBytes: number;
  readonly #stopListening: () => void;
  readonly #leases = new Set<Lease>();
  /** Leases under way by ordinal. */
  readonly #holders: Uint8Array;
  /** Leases whose voxels are on their way to a place, by ordinal. */
  readonly #arriving = new Map<number, Lease>();
  /** Ordinals of broken leases, ascending. */
  #returned: number[] = [];
  /** Slow leases that another worker is to be asked for. */
  readonly #slow: Lease[] = [];
  #meanLeaseMs = 0;
  #borderVoxels = 0;
  #nextUnleased = 0;
  #failure: Error | undefined;

  constructor(parts: LeaseSessionParts) {
    this.#parts = parts;
    const { chunkShape: shape, voxelType } = parts.plan;
    this.#places = new PlaceList({ shape, voxelType });
    this.#sampleBytes = voxelCount(shape) * Float32Array.BYTES_PER_ELEMENT;
    this.#holders = new Uint8Array(parts.plan.samples.length);
    this.#stopListening = parts.workers.onChange(() => this.#onWorkersChange());
  }

  fill(firstOrdinal: number, target: Float32Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#places.isEmpty) this.#nextUnleased = firstOrdinal;
    const filled = this.#places.add(firstOrdinal, target);
    this.#parts.counts.awaitedBytes += target.byteLength;
    this.#dispatch();
    return filled;
  }

  /** Whole voxels add up to the same in any order of arrival. */
  borderFraction(): number {
    const voxels = this.#places.writtenCount * voxelCount(this.#parts.plan.chunkShape);
    return voxels === 0 ? 0 : this.#borderVoxels / voxels;
  }

  close(reason: Error): void {
    this.#fail(reason);
    this.#stopListening();
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#parts.counts.awaitedBytes -= this.#places.awaitedBytes;
    this.#places.fail(error);
    for (const lease of this.#leases) lease.cancel(error);
  }

  #onWorkersChange(): void {
    for (const lease of this.#leases) {
      if (lease.worker.quarantineReason !== undefined) lease.cancel(new Error('the worker is quarantined'));
    }
    this.#dispatch();
  }

  /** Gives out leases while there are both ordinals and workers for them: what is waited for longest comes first. */
  #dispatch(): void {
    while (this.#failure === undefined) {
      if (!this.#leaseReturned() && !this.#leaseSlow() && !this.#leaseNew()) return;
    }
  }

  #leaseReturned(): boolean {
    if (this.#returned.length === 0) return false;
    const worker = this.#parts.workers.acquire();
    if (worker === undefined) return false;
    this.#lease(worker, this.#returned.splice(0, this.#parts.options.leaseSize));
    return true;
  }

  /** Asks a worker that holds nothing of a slow lease for what that lease still owes. */
  #leaseSlow(): boolean {
    for (const [index, slow] of this.#slow.entries()) {
      const owed = slow.isEnded ? [] : this.#unhedged(slow);
      if (owed.length === 0) {
        this.#slow.splice(index, 1);
        return true;
      }
      const worker = this.#parts.workers.acquire({ except: new Set([slow.worker]) });
      if (worker === undefined) continue;
      this.#slow.splice(index, 1);
      slow.isHedged = true;
      this.#parts.counts.hedgedLeases++;
      this.#lease(worker, owed);
      return true;
    }
    return false;
  }

  /** What only this lease will bring. */
  #unhedged(lease: Lease): number[] {
    return [...lease.owed].filter((ordinal) => this.#places.awaits(ordinal) && this.#holders[ordinal] === 1);
  }

  /** Full leases to anyone; a smaller one, which a batch's or the plan's end may leave, only to a worker that idles. */
  #leaseNew(): boolean {
    const { workers, options } = this.#parts;
    const end = Math.min(this.#places.end, this.#nextUnleased + options.leaseSize);
    const count = end - this.#nextUnleased;
    if (count <= 0) return false;
    const isWhole = count === options.leaseSize || end === this.#parts.plan.samples.length;
    const worker = workers.acquire({ idle: !isWhole });
    if (worker === undefined) return false;
    this.#lease(
      worker,
      Array.from({ length: count }, () => this.#nextUnleased++),
    );
    return true;
  }

  #lease(worker: PooledWorker, ordinals: readonly number[]): void {
    for (const ordinal of ordinals) this.#holders[ordinal]!++;
    const { counts, options, plan, events, arrivals } = this.#parts;
    counts.leases++;
    worker.sent.leases++;
    counts.openLeases++;
    const overdueMs = Math.max(options.hedgeAfterMs, SLOW_FACTOR * this.#meanLeaseMs);
    const ask = () =>
      new Lease(worker, toRequest(plan, ordinals), {
        ...{ overdueMs, events: this.#leaseEvents, voxels: new ArrivingVoxels(arrivals) },
      });
    const lease = events.ask(ordinals[0]!, ask);
    this.#leases.add(lease);
  }

  readonly #leaseEvents: LeaseEvents = {
    place: (lease, head, voxelBytes) => this.#place(lease, head, voxelBytes),
    placed: (lease) => this.#placed(lease),
    answer: (lease, response) => this.#receive(lease, response),
    overdue: (lease, isSilent) => this.#onOverdue(lease, isSilent),
    end: (lease, error) => this.#onEnd(lease, error),
  };

  /** One lease at a time may write to a place; what another one brings meanwhile comes whole. */
  #place(
    lease: Lease,
    { ordinal, result }: StreamSamplesResponse,
    voxelBytes: number,
  ): Uint8Array | undefined {
    if (!lease.owed.has(ordinal) || !this.#places.awaits(ordinal) || this.#arriving.has(ordinal))
      return undefined;
    const sample = result!.value as Sample;
    const place = this.#places.placeFor(ordinal, sample, voxelBytes);
    if (place === undefined) return undefined;
    lease.arriving = { ordinal, sample };
    lease.voxels.begin();
    this.#arriving.set(ordinal, lease);
    return place;
  }

  #placed(lease: Lease): void {
    const { arriving } = lease;
    if (arriving === undefined) return;
    const { ordinal, sample } = arriving;
    lease.arriving = undefined;
    this.#arriving.delete(ordinal);
    this.#parts.workers.noteAnswer(lease.worker);
    const fault = this.#places.accept(ordinal, sample, lease.voxels.end());
    if (fault !== undefined) return this.#quarantine(lease, ordinal, fault);
    this.#count(lease, ordinal, sample, this.#sampleBytes);
  }

  #receive(lease: Lease, { ordinal, result }: StreamSamplesResponse): void {
    const { counts, workers } = this.#parts;
    if (!lease.owed.has(ordinal)) return this.#quarantine(lease, ordinal, 'nobody asked for it');
    if (result === undefined) return this.#quarantine(lease, ordinal, 'its answer is empty');
    if (result.$case === 'error')
      return this.#fail(new SampleUnavailableError(ordinal, result.value.message));
    workers.noteAnswer(lease.worker);
    if (!this.#places.awaits(ordinal)) {
      counts.duplicateSamples++;
      lease.owed.delete(ordinal);
      return this.#cancelIfIdle(lease);
    }
    const fault = this.#places.write(ordinal, result.value);
    if (fault !== undefined) return this.#quarantine(lease, ordinal, fault);
    this.#dropArriving(ordinal);
    this.#count(lease, ordinal, result.value, result.value.voxelsHu.byteLength);
  }

  /** What else arrives of `ordinal` comes second: the lease that brings it may not write any more. */
  #dropArriving(ordinal: number): void {
    const lease = this.#arriving.get(ordinal);
    if (lease === undefined) return;
    this.#arriving.delete(ordinal);
    lease.owed.delete(ordinal);
    lease.dropArriving();
    this.#parts.counts.duplicateSamples++;
    this.#cancelIfIdle(lease);
  }

  #count(lease: Lease, ordinal: number, sample: Sample, voxelBytes: number): void {
    const { counts, plan } = this.#parts;
    lease.owed.delete(ordinal);
    counts.samples++;
    counts.sampleBytes += voxelBytes;
    lease.worker.sent.samples++;
    lease.worker.sent.sampleBytes += voxelBytes;
    counts.awaitedBytes -= this.#sampleBytes;
    this.#borderVoxels += Math.round(sample.borderFraction * voxelCount(plan.chunkShape));
  }

  /** A lease that brings nothing but duplicates is not worth its bytes. */
  #cancelIfIdle(lease: Lease): void {
    for (const ordinal of lease.owed) if (this.#places.awaits(ordinal)) return;
    lease.cancel(new Error('another worker was faster'));
  }

  #quarantine(lease: Lease, ordinal: number, fault: string): void {
    const { workers, counts, events, plan } = this.#parts;
    counts.wrongSamples++;
    const { address } = lease.worker;
    const reason = `sample ${ordinal} of epoch ${plan.epoch}: ${fault}`;
    if (!workers.quarantine(lease.worker, reason)) return;
    events.warn(`Worker ${address} is quarantined, its samples are leased again: ${reason}`);
  }

  #onOverdue(lease: Lease, isSilent: boolean): void {
    if (isSilent) this.#parts.workers.noteSilence(lease.worker);
    if (!lease.isHedged && !this.#slow.includes(lease)) this.#slow.push(lease);
    this.#dispatch();
  }

  #onEnd(lease: Lease, error: unknown): void {
    const { workers, counts } = this.#parts;
    this.#leases.delete(lease);
    if (lease.arriving !== undefined) this.#arriving.delete(lease.arriving.ordinal);
    counts.openLeases--;
    for (const ordinal of lease.ordinals) this.#holders[ordinal]!--;
    const missing = [...lease.owed].filter((ordinal) => this.#places.awaits(ordinal));
    if (this.#failure === undefined) {
      const returned = missing.filter((ordinal) => this.#holders[ordinal] === 0);
      counts.repeatedSamples += returned.length;
      this.#returned.push(...returned);
      this.#returned.sort((a, b) => a - b);
      if (missing.length === 0) this.#noteDuration(performance.now() - lease.startedMs);
      else {
        counts.brokenLeases++;
        lease.worker.sent.brokenLeases++;
        this.#onBroken(lease, error ?? new Error('the worker ended a lease early'));
      }
    }
    workers.release(lease.worker);
  }

  #noteDuration(leaseMs: number): void {
    const weight = this.#meanLeaseMs === 0 ? 1 : MEAN_WEIGHT;
    this.#meanLeaseMs += weight * (leaseMs - this.#meanLeaseMs);
  }

  #onBroken({ worker, owed }: Lease, error: unknown): void {
    if (worker.quarantineReason !== undefined) return;
    if (isServiceError(error) && isRefusal(error.code)) {
      const [firstOrdinal] = owed as unknown as Iterable<number>;
      return this.#fail(new SampleUnavailableError(firstOrdinal!, error.details, { cause: error }));
    }
    this.#parts.workers.rest(worker, errorText(error));
  }
}

function toRequest(plan: SamplePlan, ordinals: readonly number[]): StreamSamplesRequest {
  const { samples, voxelType, border, ...rest } = plan;
  const placeOf = (ordinal: number) => {
    const { seriesUid, centerXyzMm } = samples[ordinal]!;
    const [x, y, z] = centerXyzMm;
    return { ordinal, seriesUid, centerXyzMm: { x, y, z } };
  };
  return {
    ...rest,
    voxelType: WIRE_VOXEL_TYPES[voxelType],
    border: WIRE_BORDERS[border],
    leaseId: `${plan.runSeed}/${plan.epoch}/${ordinals[0]}+${ordinals.length}`,
    samples: ordinals.map((ordinal) => {
      const { partnerOrdinal } = samples[ordinal]!;
      const partner = partnerOrdinal === undefined ? undefined : placeOf(partnerOrdinal);
      return { ...placeOf(ordinal), partner };
    }),
  };
}

/** Statuses that another worker would answer alike: leasing again is in vain. */
function isRefusal(code: status): boolean {
  return code === status.INVALID_ARGUMENT || code === status.NOT_FOUND || code === status.FAILED_PRECONDITION;
}
