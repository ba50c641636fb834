import type { AugmentationServiceClient } from '@lunastream/contracts';

/** An augmentation worker as the trainer sees it. */
export interface SampleWorker {
  readonly address: string;
  readonly client: Pick<AugmentationServiceClient, 'streamSamples'>;
}

const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 2_000;

/** A worker with what this process knows of it. Only its pool changes it. */
export interface PooledWorker extends SampleWorker {
  readonly leases: number;
  /** Breaks in a row; 0 once it answers. */
  readonly failures: number;
  readonly isResting: boolean;
  readonly lastError: string | undefined;
}

type WorkerState = { -readonly [Key in keyof PooledWorker]: PooledWorker[Key] };

/**
 * The workers of this trainer. Outlives the epochs that lease from it: leases of a pass that just ended may still be
 * closing, and a rest goes on, when the next pass begins. Whoever could get no worker hears when one is free.
 *
 *   free ──acquire──> leased (up to leasesPerWorker) ──release──> free
 *   any  ──rest─────> resting, 100 ms, doubling up to 2 s with every break in a row ──> free
 */
export class WorkerPool {
  readonly #workers: readonly WorkerState[];
  readonly #leasesPerWorker: number;
  readonly #listeners = new Set<() => void>();

  constructor(workers: readonly SampleWorker[], leasesPerWorker: number) {
    this.#workers = workers.map((worker) => ({
      ...worker,
      leases: 0,
      failures: 0,
      isResting: false,
      lastError: undefined,
    }));
    this.#leasesPerWorker = leasesPerWorker;
  }

  /** A lease of the worker that has fewest, the first among equals; undefined while all are full or resting. */
  acquire(): PooledWorker | undefined {
    let least: WorkerState | undefined;
    for (const worker of this.#workers) {
      if (worker.isResting || worker.leases >= this.#leasesPerWorker) continue;
      if (least === undefined || worker.leases < least.leases) least = worker;
    }
    if (least !== undefined) least.leases++;
    return least;
  }

  /** Gives back what `acquire` gave. */
  release(worker: PooledWorker): void {
    this.#stateOf(worker).leases--;
    this.#tellFree();
  }

  /** Notes that the worker answers. */
  noteAnswer(worker: PooledWorker): void {
    this.#stateOf(worker).failures = 0;
  }

  /** Keeps new leases from a worker that just failed. Leases that break together count once. */
  rest(worker: PooledWorker, reason: string): void {
    const state = this.#stateOf(worker);
    state.lastError = reason;
    if (state.isResting) return;
    state.isResting = true;
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** state.failures++);
    setTimeout(() => {
      state.isResting = false;
      this.#tellFree();
    }, restMs).unref();
  }

  /** Calls `listener` whenever a worker may be free again; returns how to end that. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Names the workers and their last errors when none of them answers. */
  waitingFor(): string | undefined {
    if (this.#workers.some(({ failures }) => failures === 0)) return undefined;
    const workers = this.#workers.map(({ address, lastError }) => `${address} (${lastError})`).join(', ');
    return `augmentation workers: ${workers}`;
  }

  #stateOf(worker: PooledWorker): WorkerState {
    return worker;
  }

  #tellFree(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
