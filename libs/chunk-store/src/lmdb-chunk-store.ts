import { mkdirSync } from 'node:fs';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { ChunkStore, TierCounts } from './chunk-store.ts';
import { ChunkStoreOpenError, ChunkStoreSettingsError } from './errors.ts';
import { decodeStoredChunk, encodeStoredChunk } from './stored-chunk.ts';

/** What the age index keeps of a chunk: enough to evict it without reading it. */
interface AgeEntry {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What the store holds, kept in the store itself: several processes may share a folder. */
interface Totals {
  readonly entryCount: number;
  readonly sizeBytes: number;
  readonly nextAge: number;
}

const EMPTY: Totals = { entryCount: 0, sizeBytes: 0, nextAge: 0 };
const TOTALS_KEY = 'totals';

/**
 * Keeps chunks in a folder on local disk, least recently stored evicted first. Chunk, age entry and totals are written
 * in one transaction, so a killed process leaves either all or none; every chunk carries a checksum that is verified on
 * each read.
 */
export class LmdbChunkStore implements ChunkStore {
  readonly tier = 'lmdb';
  readonly #limitBytes: number;
  readonly #root: RootDatabase;
  readonly #chunks: Database<Buffer, string>;
  readonly #ages: Database<AgeEntry, number>;
  readonly #totals: Database<Totals, string>;
  #hitCount = 0;
  #missCount = 0;
  #evictionCount = 0;
  #corruptCount = 0;

  /**
   * Opens or makes the store in `folder`.
   * @throws ChunkStoreSettingsError when `limitBytes` is not a positive integer.
   * @throws ChunkStoreOpenError when the folder cannot be used.
   */
  constructor({ folder, limitBytes }: { readonly folder: string; readonly limitBytes: number }) {
    if (!Number.isSafeInteger(limitBytes) || limitBytes < 1) {
      throw new ChunkStoreSettingsError('lmdb', 'limitBytes must be a positive integer', limitBytes);
    }
    this.#limitBytes = limitBytes;
    try {
      mkdirSync(folder, { recursive: true });
      this.#root = open({ path: folder, maxDbs: 3 });
      this.#chunks = this.#root.openDB({ name: 'chunks', encoding: 'binary' });
      this.#ages = this.#root.openDB({ name: 'ages', encoding: 'json' });
      this.#totals = this.#root.openDB({ name: 'totals', encoding: 'json' });
    } catch (cause) {
      throw new ChunkStoreOpenError(folder, cause);
    }
  }

  get(key: string): Promise<Int16Array | undefined> {
    const stored = this.#chunks.get(key);
    if (stored === undefined) {
      this.#missCount++;
      return Promise.resolve(undefined);
    }
    const voxels = decodeStoredChunk(stored);
    if (voxels === undefined) {
      // Left in place: the caller cuts the chunk again and its put replaces these bytes.
      this.#corruptCount++;
      this.#missCount++;
      return Promise.resolve(undefined);
    }
    this.#hitCount++;
    return Promise.resolve(voxels);
  }

  async put(key: string, voxels: Int16Array): Promise<void> {
    if (voxels.byteLength > this.#limitBytes) return;
    const stored = encodeStoredChunk(voxels);
    await this.#root.transaction(() => {
      if (!this.#chunks.doesExist(key)) {
        const { entryCount, sizeBytes, nextAge } = this.#makeRoom(voxels.byteLength);
        void this.#ages.put(nextAge, { key, sizeBytes: voxels.byteLength });
        void this.#totals.put(TOTALS_KEY, {
          entryCount: entryCount + 1,
          sizeBytes: sizeBytes + voxels.byteLength,
          nextAge: nextAge + 1,
        });
      }
      void this.#chunks.put(key, stored);
    });
  }

  stats(): TierCounts {
    const { entryCount, sizeBytes } = this.#totals.get(TOTALS_KEY) ?? EMPTY;
    return {
      tier: this.tier,
      hitCount: this.#hitCount,
      missCount: this.#missCount,
      entryCount,
      sizeBytes,
      limitBytes: this.#limitBytes,
      evictionCount: this.#evictionCount,
      corruptCount: this.#corruptCount,
    };
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Drops the oldest chunks until `neededBytes` more fit; returns what is left. Runs inside the caller's transaction. */
  #makeRoom(neededBytes: number): Totals {
    const { nextAge, ...held } = this.#totals.get(TOTALS_KEY) ?? EMPTY;
    let { entryCount, sizeBytes } = held;
    if (sizeBytes + neededBytes > this.#limitBytes) {
      for (const { key: age, value } of this.#ages.getRange({})) {
        if (sizeBytes + neededBytes <= this.#limitBytes) break;
        void this.#ages.remove(age);
        void this.#chunks.remove(value.key);
        entryCount--;
        sizeBytes -= value.sizeBytes;
        this.#evictionCount++;
      }
    }
    return { entryCount, sizeBytes, nextAge };
  }
}
