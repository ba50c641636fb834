/** Cuts the chunks of a whole data set ahead of training, so that its first epoch waits for no scan. */
import type { Candidate, Dataset } from '@lunastream/dataset';
import type { ChunkExtent } from '@lunastream/volume';
import type { ChunkSource } from './chunk-source.ts';
import { ChunkFaultError } from './errors.ts';

export interface WarmOptions {
  readonly extent: ChunkExtent;
  /** Chunks cut at a time. */
  readonly parallel: number;
  /** Stops before the next chunk; what is kept by then stays, and the next run goes on from there. */
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What became of the chunks. */
export interface WarmReport {
  readonly candidates: number;
  /** Chunks that were kept already. */
  readonly kept: number;
  readonly cut: number;
  readonly failed: number;
  /** Why chunks failed, a sentence each; the first ones. */
  readonly problems: readonly string[];
}

const MOST_PROBLEMS = 20;

/** Candidates of one scan after the other: each is opened once, and a copy of it is made at most once. */
function inOrderOfSeries(candidates: readonly Candidate[]): Candidate[] {
  const order = (a: Candidate, b: Candidate) =>
    a.seriesUid < b.seriesUid ? -1 : Number(a.seriesUid > b.seriesUid) || a.centerXyzMm[2] - b.centerXyzMm[2];
  return [...candidates].sort(order);
}

/**
 * Makes sure that the chunk of every candidate of `dataset` is kept, scan by scan. A chunk that fails is counted and passed
 * over. Ends early, with the report of what was done, when the signal aborts.
 */
export async function warmChunks(
  source: ChunkSource,
  dataset: Dataset,
  { extent, parallel, signal, onProgress = () => undefined }: WarmOptions,
): Promise<WarmReport> {
  const counts = { kept: 0, cut: 0, failed: 0 };
  const problems: string[] = [];
  const total = dataset.candidates.length;
  const warm = async ({ seriesUid, centerXyzMm }: Candidate) => {
    if (signal.aborted) return;
    try {
      counts[await source.keepChunk(dataset, seriesUid, centerXyzMm, extent)]++;
    } catch (error) {
      if (!(error instanceof ChunkFaultError)) throw error;
      counts.failed++;
      if (problems.length < MOST_PROBLEMS) problems.push(error.message);
    }
    onProgress(counts.kept + counts.cut + counts.failed, total);
  };
  // Shared: each worker takes the next one, so that all work on one or two scans.
  const queue = inOrderOfSeries(dataset.candidates).values();
  const work = async () => {
    for (const candidate of queue) await warm(candidate);
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return { candidates: total, ...counts, problems };
}
