/**
 * Where cut chunks are kept. A tier knows nothing of scans or requests: it keeps int16 voxels under a key, within a
 * limit in bytes. Losing an entry is never an error, since any chunk can be cut again.
 */
export interface ChunkStore {
  /** Name in statistics, for example "memory". */
  readonly tier: string;
  /** What it keeps is there for the next process. */
  readonly isLasting: boolean;
  /** The voxels kept under `key`, or undefined. The caller must not change them. */
  get(key: string): Promise<Int16Array | undefined>;
  /** Whether there is an entry under `key`; does not read it, and counts no hit. */
  has(key: string): Promise<boolean>;
  /** Keeps `voxels` under `key`, replacing what was there. Keeps a reference; the caller must not change them after. */
  put(key: string, voxels: Int16Array): Promise<void>;
  /** Counters since the store was opened, and what it holds now. */
  stats(): TierCounts;
  /** Writes what is pending and releases files. */
  close(): Promise<void>;
}

/** What a tier counts. */
export interface TierCounts {
  readonly tier: string;
  readonly hitCount: number;
  readonly missCount: number;
  /** Chunks held now; 0 where a server keeps count. */
  readonly entryCount: number;
  /** Bytes of voxels held now; 0 where a server keeps count. */
  readonly sizeBytes: number;
  /** Most bytes of voxels this tier may hold; 0 where a server sets the limit. */
  readonly limitBytes: number;
  readonly evictionCount: number;
  /** Stored chunks whose checksum did not match; none of them was served, each was dropped. */
  readonly corruptCount: number;
}

/** Counters of one tier among others. */
export interface TierStats extends TierCounts {
  /** Times the tier could not look a chunk up or keep it: disk full, server away. The chunk came from elsewhere. */
  readonly errorCount: number;
}
