import { mkdirSync } from 'node:fs';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { ChunkStore, TierStats } from './chunk-store.ts';
import { ChunkStoreOpenError, ChunkStoreSettingsError } from './errors.ts';
import { decodeStoredChunk, encodeStoredChunk } from './stored-chunk.ts';

/** What the age index keeps of a chunk: enough to evict it without reading it. */
interface AgeEntry {
  readonly key: string;
  readonly sizeBytes: number;
}

/**
 * Keeps chunks in a folder on local disk, least recently stored evicted first. Chunk and age entry are written in one
 * transaction, so a killed process leaves either both or neither; every chunk carries a checksum that is verified on
 * each read.
 */
export class LmdbChunkStore implements ChunkStore {
  readonly tier = 'lmdb';
  readonly #limitBytes: number;
  readonly #root: RootDatabase;
  readonly #chunks: Database<Buffer, string>;
  readonly #ages: Database<AgeEntry, number>;
  #nextAge = 0;
  #entryCount = 0;
  #sizeBytes = 0;
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
      this.#root = open({ path: folder, maxDbs: 2 });
      this.#chunks = this.#root.openDB({ name: 'chunks', encoding: 'binary' });
      this.#ages = this.#root.openDB({ name: 'ages', encoding: 'json' });
    } catch (cause) {
      throw new ChunkStoreOpenError(folder, cause);
    }
    for (const { key: age, value } of this.#ages.getRange({})) {
      this.#nextAge = age + 1;
      this.#entryCount++;
      this.#sizeBytes += value.sizeBytes;
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
        this.#makeRoom(voxels.byteLength);
        void this.#ages.put(this.#nextAge++, { key, sizeBytes: voxels.byteLength });
        this.#entryCount++;
        this.#sizeBytes += voxels.byteLength;
      }
      void this.#chunks.put(key, stored);
    });
  }

  stats(): TierStats {
    return {
      tier: this.tier,
      hitCount: this.#hitCount,
      missCount: this.#missCount,
      entryCount: this.#entryCount,
      sizeBytes: this.#sizeBytes,
      limitBytes: this.#limitBytes,
      evictionCount: this.#evictionCount,
      corruptCount: this.#corruptCount,
    };
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Drops the oldest chunks until `sizeBytes` more fit. Runs inside the caller's transaction. */
  #makeRoom(sizeBytes: number): void {
    if (this.#sizeBytes + sizeBytes <= this.#limitBytes) return;
    for (const { key: age, value } of this.#ages.getRange({})) {
      if (this.#sizeBytes + sizeBytes <= this.#limitBytes) return;
      void this.#ages.remove(age);
      void this.#chunks.remove(value.key);
      this.#entryCount--;
      this.#sizeBytes -= value.sizeBytes;
      this.#evictionCount++;
    }
  }
}
