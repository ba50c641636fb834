import { performance } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { watchEventLoop } from './event-loop-delay.ts';

const ticks = () => new Promise((resolve) => setTimeout(resolve, 25));

it('watchEventLoop() sees what blocks the event loop', async () => {
  const delay = watchEventLoop();
  await ticks();
  const startMs = performance.now();
  while (performance.now() - startMs < 60);
  await ticks();
  const { p50Ms, p99Ms, maxMs } = delay();
  // Blocked for 60 ms: at least 50 beyond the tick that was due.
  expect(maxMs).toBeGreaterThanOrEqual(45);
  expect(maxMs).toBeGreaterThanOrEqual(p99Ms);
  expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
});
