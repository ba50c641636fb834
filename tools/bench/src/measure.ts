import { performance } from 'node:perf_hooks';

/** How often a measurement is repeated. The median of rounds is told: one slow round on a shared machine does no harm. */
export interface MeasureOptions {
  readonly rounds: number;
  /** A round repeats the work until it took this long, so that the clock's steps don't count. */
  readonly minRoundMs: number;
}

const DEFAULTS: MeasureOptions = { rounds: 9, minRoundMs: 150 };

/** The middle value; of two middle ones their mean. @throws RangeError for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('Cannot take a median: there must be a value, got none');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that at least the share `q` of the values does not exceed. @throws RangeError for no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('Cannot take a quantile: there must be a value, got none');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
}

/** Median milliseconds that one call of `work` takes, after a round that warms up the compiler. */
export async function medianMs(
  work: () => void | Promise<unknown>,
  { rounds, minRoundMs }: MeasureOptions = DEFAULTS,
): Promise<number> {
  const round = async () => {
    const startMs = performance.now();
    let calls = 0;
    let tookMs: number;
    do {
      await work();
      calls++;
      tookMs = performance.now() - startMs;
    } while (tookMs < minRoundMs);
    return tookMs / calls;
  };
  await round();
  const times: number[] = [];
  while (times.length < rounds) times.push(await round());
  return median(times);
}

const STEP_ROUNDS = 5;
const LEAST_ROUND_MS = 250;

/**
 * Median milliseconds of a step where, as in the trainer, the next one is begun before the one before has ended: of rounds of several
 * steps, after two that warm up.
 */
export async function medianStepMs(
  step: () => Promise<unknown>,
  nowMs = () => performance.now(),
): Promise<number> {
  await step();
  const startMs = nowMs();
  await step();
  const steps = Math.max(2, Math.ceil(LEAST_ROUND_MS / Math.max(1, nowMs() - startMs)));
  const times: number[] = [];
  while (times.length < STEP_ROUNDS) {
    const roundMs = nowMs();
    let under = step();
    for (let index = 1; index < steps; index++) {
      const next = step();
      await under;
      under = next;
    }
    await under;
    times.push((nowMs() - roundMs) / steps);
  }
  return median(times);
}
