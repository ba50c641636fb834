import type { RunsObserver, WatchedRun } from '../src/runs/run-observer.ts';

/** Watches nothing. */
export const UNOBSERVED_RUN: WatchedRun = {
  openPass: () => ({
    ask: (_firstOrdinal, ask) => ask(),
    step: (_loaded, work) => work(),
    close: () => undefined,
  }),
  epochDone: () => Promise.resolve(),
  within: (work) => work(),
  ended: () => undefined,
};

export const UNOBSERVED_RUNS: RunsObserver = { start: () => UNOBSERVED_RUN };
