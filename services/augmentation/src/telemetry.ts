import type { Telemetry } from '@lunastream/telemetry';
import type { TransformPool } from '@lunastream/transform-pool';
import type { RawChunkMemory } from './raw-chunk-memory.ts';
import type { WorkerStats } from './worker-stats.ts';

/** Weight of the latest sample in the mean of how long samples take: some hundred of them. */
const MEAN_WEIGHT = 0.01;
const MS_PER_S = 1000;
/** Name of the worker's own memory among the tiers of chunks. */
const TIER = 'worker';

/** What a worker's telemetry reads. */
export interface WorkerTelemetryParts {
  readonly stats: WorkerStats;
  readonly maker: Pick<TransformPool, 'threadCount'>;
  readonly memory: Pick<RawChunkMemory, 'stats'>;
}

/** Tells what a worker does, and how much it could. */
export function observeWorker(telemetry: Telemetry, { stats, maker, memory }: WorkerTelemetryParts): void {
  let meanTookMs: number | undefined;
  stats.onSampleMade = (tookMs) => {
    telemetry.record('lunastream.worker.transform.duration', tookMs / MS_PER_S, {});
    meanTookMs = meanTookMs === undefined ? tookMs : meanTookMs + MEAN_WEIGHT * (tookMs - meanTookMs);
  };
  telemetry.observe((report) => {
    report('lunastream.worker.samples', stats.sampleCount, {});
    report('lunastream.worker.failures', stats.failureCount, {});
    report('lunastream.worker.voxels', stats.voxelCount, {});
    report('lunastream.worker.border_voxels', stats.borderVoxelCount, {});
    report('lunastream.worker.queued', stats.queuedBytes, {});
    report('lunastream.worker.threads', maker.threadCount, {});
    report('lunastream.worker.capacity', capacityPerS(maker.threadCount, meanTookMs), {});
  });
  telemetry.observe((report) => {
    const chunks = memory.stats();
    report('lunastream.chunks.hits', chunks.hitCount, { tier: TIER });
    report('lunastream.chunks.misses', chunks.missCount, { tier: TIER });
    report('lunastream.chunks.evictions', chunks.evictionCount, { tier: TIER });
    report('lunastream.chunks.entries', chunks.entryCount, { tier: TIER });
    report('lunastream.chunks.size', chunks.sizeBytes, { tier: TIER });
    report('lunastream.chunks.limit', chunks.limitBytes, { tier: TIER });
  });
}

/** Samples per second of `threads` that never wait; undefined before the first sample. */
function capacityPerS(threads: number, meanTookMs: number | undefined): number | undefined {
  return meanTookMs === undefined || meanTookMs === 0 ? undefined : (threads * MS_PER_S) / meanTookMs;
}
