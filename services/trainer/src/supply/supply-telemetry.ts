import type { Telemetry } from '@lunastream/telemetry';
import type { LeaseCounts } from './lease-counts.ts';
import { isAnswering, type PooledWorker } from './worker-pool.ts';

/** What is told of samples that come from workers. */
export interface ObservedSupply {
  readonly counts: Readonly<LeaseCounts>;
  readonly pool: { readonly workers: readonly PooledWorker[] };
  /** Most bytes of samples leased ahead of the engine. */
  readonly sampleBufferBytes: number;
}

/** Tells how samples come from workers, and what each of them does. */
export function observeWorkerSupply(
  telemetry: Telemetry,
  { counts, pool, sampleBufferBytes }: ObservedSupply,
): void {
  telemetry.observe((report) => {
    report('lunastream.supply.retries', counts.repeatedSamples, {});
    report('lunastream.supply.hedges', counts.hedgedLeases, {});
    report('lunastream.supply.duplicates', counts.duplicateSamples, {});
    report('lunastream.supply.wrong', counts.wrongSamples, {});
    report('lunastream.supply.awaited', counts.awaitedBytes, {});
    report('lunastream.supply.buffer_limit', sampleBufferBytes, {});
    report('lunastream.supply.workers', pool.workers.length, {});
    report('lunastream.supply.answering_workers', pool.workers.filter(isAnswering).length, {});
  });
  telemetry.observe((report) => {
    for (const { address: worker, leases, sent } of pool.workers) {
      report('lunastream.supply.samples', sent.samples, { worker });
      report('lunastream.supply.received', sent.sampleBytes, { worker });
      report('lunastream.supply.leases', sent.leases, { worker });
      report('lunastream.supply.broken_leases', sent.brokenLeases, { worker });
      report('lunastream.supply.outstanding_leases', leases, { worker });
    }
  });
}
