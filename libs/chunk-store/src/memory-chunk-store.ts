import { LRUCache } from 'lru-cache';
import type { ChunkStore, TierCounts } from './chunk-store.ts';
import { ChunkStoreSettingsError } from './errors.ts';

/** Keeps the most recently used chunks in this process, up to `limitBytes` of voxels. */
export class MemoryChunkStore implements ChunkStore {
  readonly tier = 'memory';
  readonly isLasting = false;
  readonly #limitBytes: number;
  readonly #chunks: LRUCache<string, Int16Array>;
  #hitCount = 0;
  #missCount = 0;
  #evictionCount = 0;

  /** @throws ChunkStoreSettingsError when `limitBytes` is not a positive integer. */
  constructor({ limitBytes }: { readonly limitBytes: number }) {
    if (!Number.isSafeInteger(limitBytes) || limitBytes < 1) {
      throw new ChunkStoreSettingsError('memory', 'limitBytes must be a positive integer', limitBytes);
    }
    this.#limitBytes = limitBytes;
    this.#chunks = new LRUCache({
      maxSize: limitBytes,
      sizeCalculation: (voxels) => voxels.byteLength,
      dispose: (_voxels, _key, reason) => {
        if (reason === 'evict') this.#evictionCount++;
      },
    });
  }

  get(key: string): Promise<Int16Array | undefined> {
    const voxels = this.#chunks.get(key);
    if (voxels === undefined) this.#missCount++;
    else this.#hitCount++;
    return Promise.resolve(voxels);
  }

  has(key: string): Promise<boolean> {
    return Promise.resolve(this.#chunks.has(key));
  }

  put(key: string, voxels: Int16Array): Promise<void> {
    this.#chunks.set(key, voxels);
    return Promise.resolve();
  }

  stats(): TierCounts {
    return {
      tier: this.tier,
      hitCount: this.#hitCount,
      missCount: this.#missCount,
      entryCount: this.#chunks.size,
      sizeBytes: this.#chunks.calculatedSize,
      limitBytes: this.#limitBytes,
      evictionCount: this.#evictionCount,
      corruptCount: 0,
    };
  }

  close(): Promise<void> {
    this.#chunks.clear();
    return Promise.resolve();
  }
}
