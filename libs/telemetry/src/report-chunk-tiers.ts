import type { Report } from './observations.ts';

/** What a tier that keeps chunks has counted since its process started, and what it holds now. */
export interface ChunkTierCounts {
  /** Its name, for example "lmdb". */
  readonly tier: string;
  readonly hitCount: number;
  readonly missCount: number;
  readonly evictionCount: number;
  readonly entryCount: number;
  readonly sizeBytes: number;
  readonly limitBytes: number;
}

/** What the tiers of a chunk source count beside that. */
export interface StoredTierCounts extends ChunkTierCounts {
  readonly corruptCount: number;
  readonly errorCount: number;
}

/** Where chunks come from. */
export interface ChunkSourceCounts {
  readonly tiers: readonly StoredTierCounts[];
  readonly cutChunkCount: number;
}

/** Tells where chunks of a scan come from, and what each tier holds. */
export function reportChunkSource(report: Report, { tiers, cutChunkCount }: ChunkSourceCounts): void {
  report('lunastream.chunks.cut', cutChunkCount, {});
  for (const counts of tiers) {
    reportChunkTier(report, counts);
    report('lunastream.chunks.corrupt', counts.corruptCount, { tier: counts.tier });
    report('lunastream.chunks.tier_errors', counts.errorCount, { tier: counts.tier });
  }
}

/** Tells what one tier has given and holds. */
export function reportChunkTier(report: Report, { tier, ...counts }: ChunkTierCounts): void {
  report('lunastream.chunks.hits', counts.hitCount, { tier });
  report('lunastream.chunks.misses', counts.missCount, { tier });
  report('lunastream.chunks.evictions', counts.evictionCount, { tier });
  report('lunastream.chunks.entries', counts.entryCount, { tier });
  report('lunastream.chunks.size', counts.sizeBytes, { tier });
  report('lunastream.chunks.limit', counts.limitBytes, { tier });
}
