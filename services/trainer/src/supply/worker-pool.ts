import type { ServerAddress } from '@lunastream/service-kit';
import type { SampleClient } from './sample-client.ts';

/** What a pool is made of. */
export interface WorkerPoolOptions {
  readonly leasesPerWorker: number;
  /** Makes the client of a worker; connects when first used. */
  readonly connect: (server: ServerAddress) => SampleClient;
}

const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 2_000;

/** What came of a worker's leases, counted since it joined. */
export interface WorkerCounts {
  /** Leases given to it. */
  leases: number;
  brokenLeases: number;
  /** Samples written to their place. */
  samples: number;
  /** Their voxels in bytes, as they travelled. */
  sampleBytes: number;
}

/** A worker with what this process knows of it. Only its pool changes it, and its counts whoever leases from it. */
export interface PooledWorker {
  readonly address: string;
  readonly client: SampleClient;
  readonly leases: number;
  /** Breaks in a row; 0 once it answers. */
  readonly failures: number;
  readonly isResting: boolean;
  /** A lease of it is overdue and nothing came for as long. */
  readonly isSilent: boolean;
  readonly lastError: string | undefined;
  /** What it answered wrong; nothing it sends is believed any more. */
  readonly quarantineReason: string | undefined;
  readonly sent: WorkerCounts;
}

interface WorkerState extends PooledWorker {
  leases: number;
  failures: number;
  isResting: boolean;
  isSilent: boolean;
  lastError: string | undefined;
  quarantineReason: string | undefined;
  /** No longer among the addresses: it ends its leases and gets no new ones. */
  isLeaving: boolean;
}

/** Who may get a lease. */
export interface WorkerWish {
  /** Only a worker that has no lease. */
  readonly idle?: boolean;
  /** Any worker but these. */
  readonly except?: ReadonlySet<PooledWorker>;
}

/**
 * The workers of this trainer. Outlives the epochs that lease from it: leases of a pass that just ended may still be
 * closing, and a rest goes on, when the next pass begins. Whoever could get no worker hears when one is free.
 *
 *   free ──acquire──> leased (up to leasesPerWorker) ──release──> free
 *   any  ──rest─────> resting, 100 ms, doubling up to 2 s with every break in a row ──> free
 *   any  ──noteSilence──> silent: gets nothing new until it answers or its lease breaks
 *   any  ──quarantine───> quarantined, until a run starts or its address comes anew
 *   any  ──setServers───> leaving: ends its leases, then its connection is closed
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #listeners = new Set<() => void>();
  #workers: WorkerState[] = [];
  #leaving: WorkerState[] = [];

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Workers that may get leases, in the order in which they came. */
  get workers(): readonly PooledWorker[] {
    return this.#workers;
  }

  /** Takes in new workers and lets go those whose address is gone, after the leases that they have. */
  setServers(servers: readonly ServerAddress[]): void {
    const wanted = new Map(servers.map((server) => [server.address, server]));
    const known = new Set(this.#workers.map(({ address }) => address));
    for (const worker of this.#workers) {
      if (wanted.has(worker.address)) continue;
      worker.isLeaving = true;
      this.#leaving.push(worker);
    }
    this.#workers = this.#workers.filter(({ isLeaving }) => !isLeaving);
    for (const [address, server] of wanted) if (!known.has(address)) this.#workers.push(this.#join(server));
    this.#closeLeft();
    this.#tellFree();
  }

  /** A lease of the worker that has fewest, the first among equals; undefined while none may have one. */
  acquire({ idle = false, except }: WorkerWish = {}): PooledWorker | undefined {
    const mostLeases = idle ? 1 : this.#options.leasesPerWorker;
    let least: WorkerState | undefined;
    for (const worker of this.#workers) {
      if (worker.leases >= mostLeases || !isUsable(worker) || except?.has(worker) === true) continue;
      if (least === undefined || worker.leases < least.leases) least = worker;
    }
    if (least !== undefined) least.leases++;
    return least;
  }

  /** Gives back what `acquire` gave. */
  release(worker: PooledWorker): void {
    this.#stateOf(worker).leases--;
    this.#closeLeft();
    this.#tellFree();
  }

  /** Notes that the worker answers. */
  noteAnswer(worker: PooledWorker): void {
    const state = this.#stateOf(worker);
    state.failures = 0;
    if (!state.isSilent) return;
    state.isSilent = false;
    this.#tellFree();
  }

  /** Notes that a lease of the worker is overdue and nothing of it comes. */
  noteSilence(worker: PooledWorker): void {
    const state = this.#stateOf(worker);
    state.isSilent = true;
    state.lastError = 'it does not answer';
  }

  /** Keeps new leases from a worker that just failed. Leases that break together count once. */
  rest(worker: PooledWorker, reason: string): void {
    const state = this.#stateOf(worker);
    state.lastError = reason;
    state.isSilent = false;
    if (state.isResting) return;
    state.isResting = true;
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** state.failures++);
    setTimeout(() => {
      state.isResting = false;
      this.#tellFree();
    }, restMs).unref();
  }

  /** Believes nothing of `worker` any more; false when that was so before. Whoever leases from it hears of it. */
  quarantine(worker: PooledWorker, reason: string): boolean {
    const state = this.#stateOf(worker);
    if (state.quarantineReason !== undefined) return false;
    state.quarantineReason = reason;
    this.#tellFree();
    return true;
  }

  /** Gives quarantined workers another chance: called when a run starts. */
  pardon(): void {
    for (const worker of this.#workers) worker.quarantineReason = undefined;
    this.#tellFree();
  }

  /** Calls `listener` whenever a worker may be free again or is quarantined; returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Names the workers and what is wrong with each while none of them answers. */
  waitingFor(): string | undefined {
    if (this.#workers.length === 0) return 'augmentation workers: none is known';
    if (this.#workers.some(isAnswering)) return undefined;
    const reasonOf = ({ quarantineReason, lastError }: WorkerState) =>
      quarantineReason === undefined ? lastError : `quarantined: ${quarantineReason}`;
    return `augmentation workers: ${this.#workers.map((worker) => `${worker.address} (${reasonOf(worker)})`).join(', ')}`;
  }

  /** Closes every connection; leases under way break. */
  close(): void {
    for (const { client } of [...this.#workers, ...this.#leaving]) client.close();
  }

  #join(server: ServerAddress): WorkerState {
    return {
      address: server.address,
      client: this.#options.connect(server),
      leases: 0,
      failures: 0,
      isResting: false,
      isSilent: false,
      lastError: undefined,
      quarantineReason: undefined,
      sent: { leases: 0, brokenLeases: 0, samples: 0, sampleBytes: 0 },
      isLeaving: false,
    };
  }

  #closeLeft(): void {
    for (const { client } of this.#leaving.filter(({ leases }) => leases === 0)) client.close();
    this.#leaving = this.#leaving.filter(({ leases }) => leases > 0);
  }

  #stateOf(worker: PooledWorker): WorkerState {
    return worker as WorkerState;
  }

  #tellFree(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function isUsable({ isResting, isSilent, quarantineReason }: WorkerState): boolean {
  return !isResting && !isSilent && quarantineReason === undefined;
}

/** Whether the worker answered when it was last asked. */
export function isAnswering({ failures, isSilent, quarantineReason }: PooledWorker): boolean {
  return failures === 0 && !isSilent && quarantineReason === undefined;
}
