import { observeSampleMaking, reportChunkTier, type Telemetry } from '@lunastream/telemetry';
import type { MadeCounts, TransformPool } from '@lunastream/transform-pool';
import type { RawChunkMemory } from './raw-chunk-memory.ts';

/** What a worker's telemetry reads. */
export interface WorkerTelemetryParts {
  readonly counts: MadeCounts;
  readonly maker: Pick<TransformPool, 'threadCount'>;
  readonly memory: Pick<RawChunkMemory, 'stats'>;
}

/** Tells what a worker does, and how much it could. */
export function observeWorker(telemetry: Telemetry, { counts, maker, memory }: WorkerTelemetryParts): void {
  observeSampleMaking(telemetry, counts, maker.threadCount);
  // The worker's own memory is one more tier, nearer to the samples than those of the cache.
  telemetry.observe((report) => reportChunkTier(report, { tier: 'worker', ...memory.stats() }));
}
