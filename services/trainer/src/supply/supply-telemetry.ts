import type { ChunkSource } from '@lunastream/chunk-source';
import { observeSampleMaking, reportChunkSource, type Telemetry } from '@lunastream/telemetry';
import type { MadeCounts } from '@lunastream/transform-pool';
import type { LeaseCounts } from './lease-counts.ts';
import type { LocalCounts } from './local-counts.ts';
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

/** What is told of samples that this process makes. */
export interface ObservedLocalSupply {
  readonly counts: Readonly<LocalCounts>;
  readonly made: MadeCounts;
  readonly chunks: Pick<ChunkSource, 'stats'>;
  readonly threads: number;
  /** Most bytes of samples made ahead of the engine. */
  readonly sampleBufferBytes: number;
}

/** Tells what a chunk cache and a worker would, of the work that this process does in their place. */
export function observeLocalSupply(
  telemetry: Telemetry,
  { counts, made, chunks, threads, sampleBufferBytes }: ObservedLocalSupply,
): void {
  observeSampleMaking(telemetry, made, threads);
  telemetry.observe((report) => {
    report('lunastream.supply.samples', counts.sampleCount, { worker: 'local' });
    report('lunastream.supply.awaited', counts.awaitedBytes, {});
    report('lunastream.supply.buffer_limit', sampleBufferBytes, {});
    reportChunkSource(report, chunks.stats());
    report('lunastream.chunks.failures', counts.failedChunkCount, {});
  });
}
