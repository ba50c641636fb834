import { monitorEventLoopDelay } from 'node:perf_hooks';

/** The histogram counts from one tick to the next: this much of every value is no delay. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** How long the event loop kept others waiting, in milliseconds. */
export interface EventLoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Watches this thread's event loop from now on; the function returned tells what was seen so far. */
export function watchEventLoop(): () => EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const delayMs = (ns: number) => Math.max(0, Math.round((10 * ns) / NS_PER_MS) / 10 - RESOLUTION_MS);
  return () => ({
    p50Ms: delayMs(histogram.percentile(50)),
    p99Ms: delayMs(histogram.percentile(99)),
    maxMs: delayMs(histogram.max),
  });
}
