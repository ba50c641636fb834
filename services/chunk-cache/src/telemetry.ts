import type { ChunkSource } from '@lunastream/chunk-source';
import type { Telemetry } from '@lunastream/telemetry';
import type { ServedCounts } from './served-counts.ts';

/** Tells where chunks come from, and what the tiers hold. */
export function observeChunkCache(
  telemetry: Telemetry,
  source: Pick<ChunkSource, 'stats'>,
  served: Readonly<ServedCounts>,
): void {
  telemetry.observe((report) => {
    const { tiers, cutChunkCount } = source.stats();
    report('lunastream.chunks.cut', cutChunkCount, {});
    report('lunastream.chunks.failures', served.failedChunkCount, {});
    report('lunastream.chunks.served', served.servedBytes, {});
    for (const { tier, ...counts } of tiers) {
      report('lunastream.chunks.hits', counts.hitCount, { tier });
      report('lunastream.chunks.misses', counts.missCount, { tier });
      report('lunastream.chunks.entries', counts.entryCount, { tier });
      report('lunastream.chunks.size', counts.sizeBytes, { tier });
      report('lunastream.chunks.limit', counts.limitBytes, { tier });
      report('lunastream.chunks.evictions', counts.evictionCount, { tier });
      report('lunastream.chunks.corrupt', counts.corruptCount, { tier });
      report('lunastream.chunks.tier_errors', counts.errorCount, { tier });
    }
  });
}
