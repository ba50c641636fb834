import type { ChunkSource } from '@lunastream/chunk-source';
import { reportChunkSource, type Telemetry } from '@lunastream/telemetry';
import type { ServedCounts } from './served-counts.ts';

/** Tells where chunks come from, and what the tiers hold. */
export function observeChunkCache(
  telemetry: Telemetry,
  source: Pick<ChunkSource, 'stats'>,
  served: Readonly<ServedCounts>,
): void {
  telemetry.observe((report) => {
    reportChunkSource(report, source.stats());
    report('lunastream.chunks.failures', served.failedChunkCount, {});
    report('lunastream.chunks.served', served.servedBytes, {});
  });
}
