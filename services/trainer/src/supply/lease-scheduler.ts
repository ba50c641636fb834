import type { ArrivalMemory } from '@lunastream/augmentation';
import { LeaseSession, type LeaseOptions } from './lease-session.ts';
import { newLeaseCounts, type LeaseCounts } from './lease-counts.ts';
import type { SamplePlan, SampleSource, SampleSourceEvents, SampleStream } from './sample-source.ts';
import type { WorkerPool } from './worker-pool.ts';

/**
 * Gives out leases of ordinals to the least-loaded workers and writes what comes back to its place.
 *
 * A lease that breaks costs nothing: what has not arrived is leased again, to any worker, with equal bytes. A slow lease
 * is hedged: another worker gets what it still owes, and whatever comes second is dropped. A worker that fails rests for
 * a moment, doubling up to two seconds; one that answers wrong is quarantined. While no worker answers, streams wait.
 */
export class LeaseScheduler implements SampleSource {
  readonly #workers: WorkerPool;
  readonly #options: LeaseOptions;
  readonly #arrivals: ArrivalMemory;
  readonly #counts = newLeaseCounts();

  /** @param arrivals Where samples are received, so that they are looked at without being copied. */
  constructor(workers: WorkerPool, options: LeaseOptions, arrivals: ArrivalMemory) {
    this.#workers = workers;
    this.#arrivals = arrivals;
    this.#options = options;
  }

  /** What happened so far, over all streams. A live view. */
  get counts(): Readonly<LeaseCounts> {
    return this.#counts;
  }

  beginRun(): void {
    this.#workers.pardon();
  }

  open(plan: SamplePlan, events: SampleSourceEvents): SampleStream {
    return new LeaseSession({
      workers: this.#workers,
      options: this.#options,
      arrivals: this.#arrivals,
      counts: this.#counts,
      plan,
      events,
    });
  }

  waitingFor(): string | undefined {
    return this.#workers.waitingFor();
  }
}
