import type { Report } from '@lunastream/telemetry';
import type { EventLoopDelay } from './event-loop-delay.ts';

const US_PER_S = 1e6;
const MS_PER_S = 1e3;

/** Tells what this process takes: memory, processor time, and how late its event loop is. */
export function reportProcess(report: Report, { p50Ms, p99Ms, maxMs }: EventLoopDelay): void {
  const { user, system } = process.cpuUsage();
  report('process.memory.usage', process.memoryUsage.rss(), {});
  report('process.cpu.time', user / US_PER_S, { 'cpu.mode': 'user' });
  report('process.cpu.time', system / US_PER_S, { 'cpu.mode': 'system' });
  report('nodejs.eventloop.delay.p50', p50Ms / MS_PER_S, {});
  report('nodejs.eventloop.delay.p99', p99Ms / MS_PER_S, {});
  report('nodejs.eventloop.delay.max', maxMs / MS_PER_S, {});
}
