import {
  startTrace,
  withRun,
  type Telemetry,
  type TracedWork,
  type TrainerSupply,
} from '@lunastream/telemetry';
import type { Split } from '@lunastream/metrics';
import type { StartedBatch } from './batch-steps.ts';
import { RunMetrics } from './run-metrics.ts';
import type { EpochOutcome, PassObserver, RunsObserver, WatchedRun } from './run-observer.ts';

/** Runs that are told of; older ones are in their folders. As many as the registry's bound of `run`. */
const TOLD_RUNS = 20;
const MS_PER_S = 1000;

/** A batch in the engine. */
interface StepView {
  readonly split: Split;
  readonly started: StartedBatch;
  /** When the engine was done with the batch before. */
  readonly engine: { freeAtMs: number };
}

/** What the trainer tells of its latest runs. */
export class RunsTelemetry implements RunsObserver {
  readonly #telemetry: Telemetry;
  readonly #nowMs: () => number;
  readonly #runs = new Map<string, RunMetrics>();
  /** Samples per second that the engine took when it did not wait, in the latest batches. */
  #demand: number | undefined;
  /** Resolves when the latest epoch is sent. */
  #sent: Promise<void> = Promise.resolve();

  /**
   * `nowMs`: milliseconds of a clock that never goes back. `supply`: where samples come from; what the engine takes of a
   * trainer that makes them itself is no demand on workers.
   */
  constructor(telemetry: Telemetry, nowMs: () => number, supply: TrainerSupply = 'workers') {
    this.#telemetry = telemetry;
    this.#nowMs = nowMs;
    telemetry.observe((report) => {
      for (const metrics of this.#runs.values()) metrics.report(report);
      if (supply === 'workers') report('lunastream.demand', this.#demand, {});
    });
  }

  start(runId: string): WatchedRun {
    const metrics = new RunMetrics(runId);
    // A resumed run is the latest again.
    this.#runs.delete(runId);
    this.#runs.set(runId, metrics);
    for (const old of [...this.#runs.keys()].slice(0, -TOLD_RUNS)) this.#runs.delete(old);
    const telemetry = this.#telemetry;
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
    const engine = { freeAtMs: -Infinity };
    return {
      ask: (firstOrdinal, ask) => traceOf(firstOrdinal).run(ask),
      step: async (started, work) => {
        if (!isBegun) metrics.beginPass(split);
        isBegun = true;
        const trace = traceOf(started.firstOrdinal);
        try {
          return await trace.run(() => this.#step(metrics, { split, started, engine }, work));
        } finally {
          trace.end({ stall_ms: started.stallMs });
          traces.delete(Math.floor(started.firstOrdinal / batchSize));
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
    { split, started: { batch, stallMs }, engine }: StepView,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const handedOverMs = this.#nowMs();
    const result = await work();
    const endMs = this.#nowMs();
    // Handed over early, it waits for the batch before.
    const stepMs = endMs - Math.max(handedOverMs, engine.freeAtMs);
    engine.freeAtMs = endMs;
    metrics.addBatch(split, { count: batch.count, stallMs, stepMs });
    this.#telemetry.record('lunastream.step.duration', stepMs / MS_PER_S, { split });
    if (stepMs === 0) return result;
    const rate = (batch.count / stepMs) * MS_PER_S;
    // Some ten batches: steps of one pass differ little, training and validation by a factor of three.
    this.#demand = this.#demand === undefined ? rate : this.#demand + 0.1 * (rate - this.#demand);
    return result;
  }
}
