/**
 * Where cut chunks are kept. A tier knows nothing of scans or requests: it keeps int16 voxels under a key, within a
 * limit in bytes. Losing an entry is never an error, since any chunk can be cut again.
 */
export interface ChunkStore {
  /** Name in statistics, for example "memory". */
  readonly tier: string;
  /** The voxels kept under `key`, or undefined. The caller must not change them. */
  get(key: string): Promise<Int16Array | undefined>;
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
  readonly entryCount: number;
  /** Bytes of voxels held now. */
  readonly sizeBytes: number;
  /** Most bytes of voxels this tier may hold. */
  readonly limitBytes: number;
  readonly evictionCount: number;
  /** Stored chunks whose checksum did not match; none of them was served. */
  readonly corruptCount: number;
}

/** Counters of one tier among others. */
export interface TierStats extends TierCounts {
  /** Times the tier could not look a chunk up or keep it: disk full, server away. The chunk came from elsewhere. */
  readonly errorCount: number;
}
