import { startTrace, withRun, type Report, type Telemetry, type TracedWork } from '@lunastream/telemetry';
import type { Split } from '@lunastream/metrics';
import type { LoadedBatch } from './batch-loader.ts';
import type { LeaseCounts } from './lease-counts.ts';
import { RunMetrics } from './run-metrics.ts';
import type { EpochOutcome, PassObserver, RunsObserver, WatchedRun } from './run-observer.ts';
import { isAnswering, type PooledWorker } from './worker-pool.ts';

/** Runs that are told of; older ones are in their folders. As many as the registry's bound of `run`. */
const TOLD_RUNS = 20;
const MS_PER_S = 1000;

/** What the trainer's telemetry reads. */
export interface TrainerTelemetryParts {
  readonly telemetry: Telemetry;
  readonly supply: { readonly counts: Readonly<LeaseCounts> };
  readonly pool: { readonly workers: readonly PooledWorker[] };
  /** Most bytes of samples leased ahead of the engine. */
  readonly sampleBufferBytes: number;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** What the trainer tells of itself: its latest runs, and how samples come to it. */
export class TrainerTelemetry implements RunsObserver {
  readonly #parts: TrainerTelemetryParts;
  readonly #runs = new Map<string, RunMetrics>();
  /** Samples per second that the engine took when it did not wait, in the latest batches. */
  #demand: number | undefined;
  /** Resolves when the latest epoch is sent. */
  #sent: Promise<void> = Promise.resolve();

  constructor(parts: TrainerTelemetryParts) {
    this.#parts = parts;
    parts.telemetry.observe((report) => this.#report(report));
  }

  start(runId: string): WatchedRun {
    const metrics = new RunMetrics(runId);
    // A resumed run is the latest again.
    this.#runs.delete(runId);
    this.#runs.set(runId, metrics);
    for (const old of [...this.#runs.keys()].slice(0, -TOLD_RUNS)) this.#runs.delete(old);
    const { telemetry } = this.#parts;
    return {
      within: (work) => withRun(runId, work),
      openPass: (pass) => this.#openPass(metrics, pass),
      epochDone: async (outcome: EpochOutcome) => {
        // What is sent is read when it is sent: an epoch must be gone before the next one takes its place. As a rule it is,
        // and a receiver that does not answer costs two seconds at most.
        await this.#sent;
        metrics.addEpoch(outcome);
        this.#sent = telemetry.flush();
      },
      ended: () => {
        metrics.isActive = false;
        this.#demand = undefined;
        this.#sent = this.#sent.then(() => telemetry.flush());
      },
    };
  }

  #openPass(
    metrics: RunMetrics,
    { epoch, split, batchSize }: { epoch: number; split: Split; batchSize: number },
  ): PassObserver {
    const traces = new Map<number, TracedWork>();
    const traceOf = (ordinal: number): TracedWork => {
      const batch = Math.floor(ordinal / batchSize);
      const trace = traces.get(batch) ?? startTrace('batch', { split, epoch, batch });
      traces.set(batch, trace);
      return trace;
    };
    let isBegun = false;
    return {
      ask: (firstOrdinal, ask) => traceOf(firstOrdinal).run(ask),
      step: async (loaded, work) => {
        if (!isBegun) metrics.beginPass(split);
        isBegun = true;
        const trace = traceOf(loaded.firstOrdinal);
        try {
          return await trace.run(() => this.#step(metrics, { split, loaded }, work));
        } finally {
          trace.end({ stall_ms: loaded.stallMs });
          traces.delete(Math.floor(loaded.firstOrdinal / batchSize));
        }
      },
      close: (borderFraction) => {
        if (isBegun && split === 'trn') metrics.borderFraction = borderFraction;
        for (const trace of traces.values()) trace.end();
        traces.clear();
      },
    };
  }

  async #step<Result>(
    metrics: RunMetrics,
    { split, loaded: { batch, stallMs } }: { split: Split; loaded: LoadedBatch },
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { telemetry, nowMs } = this.#parts;
    const startMs = nowMs();
    const result = await work();
    const stepMs = nowMs() - startMs;
    metrics.addBatch(split, { count: batch.count, stallMs, stepMs });
    telemetry.record('lunastream.step.duration', stepMs / MS_PER_S, { split });
    if (stepMs === 0) return result;
    const rate = (batch.count / stepMs) * MS_PER_S;
    // Some ten batches: steps of one pass differ little, training and validation by a factor of three.
    this.#demand = this.#demand === undefined ? rate : this.#demand + 0.1 * (rate - this.#demand);
    return result;
  }

  #report(report: Report): void {
    const { supply, pool, sampleBufferBytes } = this.#parts;
    for (const metrics of this.#runs.values()) metrics.report(report);
    report('lunastream.demand', this.#demand, {});
    const { counts } = supply;
    report('lunastream.supply.retries', counts.repeatedSamples, {});
    report('lunastream.supply.hedges', counts.hedgedLeases, {});
    report('lunastream.supply.duplicates', counts.duplicateSamples, {});
    report('lunastream.supply.wrong', counts.wrongSamples, {});
    report('lunastream.supply.awaited', counts.awaitedBytes, {});
    report('lunastream.supply.buffer_limit', sampleBufferBytes, {});
    report('lunastream.supply.workers', pool.workers.length, {});
    report('lunastream.supply.answering_workers', pool.workers.filter(isAnswering).length, {});
    for (const { address: worker, leases, sent } of pool.workers) {
      report('lunastream.supply.samples', sent.samples, { worker });
      report('lunastream.supply.received', sent.sampleBytes, { worker });
      report('lunastream.supply.leases', sent.leases, { worker });
      report('lunastream.supply.broken_leases', sent.brokenLeases, { worker });
      report('lunastream.supply.outstanding_leases', leases, { worker });
    }
  }
}
