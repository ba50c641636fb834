import type { ChunkStore, TierCounts } from './chunk-store.ts';
import { ChunkStoreWriteError } from './errors.ts';

/** Nothing kept, nothing found. */
const NOTHING = { entryCount: 0, sizeBytes: 0, evictionCount: 0, corruptCount: 0, hitCount: 0 };

/**
 * A tier on a disk that may have no room to begin: until it has, chunks are not found and not kept, as on a disk that is full while a
 * store works, and each chunk to be kept tries again.
 *
 *   away ── there is room ──> open: all goes to the store
 */
export class LateChunkStore implements ChunkStore {
  readonly isLasting = true;
  readonly tier: string;
  readonly #limitBytes: number;
  readonly #open: () => ChunkStore;
  #store: ChunkStore | undefined;
  #missCount = 0;

  /**
   * @param open opens the store; throws ChunkStoreWriteError where the disk has no room for it
   * @throws whatever else `open` throws: a folder that is none stays one.
   */
  constructor({
    tier,
    limitBytes,
    open,
  }: {
    readonly tier: string;
    readonly limitBytes: number;
    readonly open: () => ChunkStore;
  }) {
    this.tier = tier;
    this.#limitBytes = limitBytes;
    this.#open = open;
    try {
      this.#store = open();
    } catch (error) {
      if (!(error instanceof ChunkStoreWriteError)) throw error;
    }
  }

  async get(key: string): Promise<Int16Array | undefined> {
    if (this.#store !== undefined) return this.#store.get(key);
    this.#missCount++;
    return undefined;
  }

  async has(key: string): Promise<boolean> {
    return (await this.#store?.has(key)) ?? false;
  }

  /** Rejects with ChunkStoreWriteError while there is no room. */
  async put(key: string, voxels: Int16Array): Promise<void> {
    this.#store ??= this.#open();
    await this.#store.put(key, voxels);
  }

  stats(): TierCounts {
    const { tier } = this;
    const counts = this.#store?.stats() ?? { ...NOTHING, missCount: 0, tier, limitBytes: this.#limitBytes };
    return { ...counts, missCount: counts.missCount + this.#missCount };
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
