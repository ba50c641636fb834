import type { EpochSummary, Split } from '@lunastream/metrics';
import type { StartedBatch } from './batch-steps.ts';

/** A pass over the samples of a split; its samples may be on their way before it begins. */
export interface PassObserver {
  /** Runs `ask`, which asks somebody for samples from `firstOrdinal` on, in the trace of the batch they belong to. */
  ask<Result>(firstOrdinal: number, ask: () => Result): Result;
  /** Runs the engine's work on a batch, in the batch's trace. The next one may begin before it ends. */
  step<Result>(started: StartedBatch, work: () => Promise<Result>): Promise<Result>;
  /**
   * The pass ended, whatever the reason; `borderFraction` is the share of its voxels that repeat the border of their
   * chunk, 0..1. Only the first call counts.
   */
  close(borderFraction: number): void;
}

/** What came of an epoch. */
export interface EpochOutcome {
  readonly trained: EpochSummary;
  /** Undefined for an epoch that was not validated. */
  readonly validated: EpochSummary | undefined;
  /** Epoch of the best checkpoint; 0 while there is none. */
  readonly bestEpoch: number;
  /** What computes, and its memory in bytes: what the engine holds of it, and that of a GPU where it is known. */
  readonly engine: {
    readonly device: string;
    readonly memoryBytes: number;
    readonly deviceMemoryBytes?: number | undefined;
  };
  /** Whether the epoch warned of overfitting. */
  readonly isOverfitting: boolean;
}

/** Watches a run. Nothing that it does may change the run, or fail. */
export interface RunObserver {
  openPass(pass: { readonly epoch: number; readonly split: Split; readonly batchSize: number }): PassObserver;
  /** Resolves, within seconds, when the run may go on; never rejects. */
  epochDone(outcome: EpochOutcome): Promise<void>;
}

/** Watches a run from its start to its end. */
export interface WatchedRun extends RunObserver {
  /** Runs the run: what is logged and called meanwhile belongs to it. */
  within<Result>(work: () => Result): Result;
  ended(): void;
}

/** Watches the runs of a trainer. */
export interface RunsObserver {
  start(runId: string): WatchedRun;
}
