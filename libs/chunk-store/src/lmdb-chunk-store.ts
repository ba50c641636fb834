import { mkdirSync } from 'node:fs';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { ChunkStore, TierCounts } from './chunk-store.ts';
import { assertRoomToBegin, freeBytesOf, hasRoomToCommit, isDiskFull, type FreeBytes } from './disk-room.ts';
import { ChunkStoreOpenError, ChunkStoreSettingsError, ChunkStoreWriteError } from './errors.ts';
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

/** A chunk that waits to be written. */
interface PendingPut {
  readonly key: string;
  readonly voxels: Int16Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What checking every chunk found. */
export interface CheckedChunks {
  readonly entryCount: number;
  readonly sizeBytes: number;
  /** Chunks whose checksum did not match; they were dropped. */
  readonly corruptCount: number;
}

const EMPTY: Totals = { entryCount: 0, sizeBytes: 0, nextAge: 0 };
const TOTALS_KEY = 'totals';
const FORMAT_KEY = 'format';
/** Raise when the bytes of an entry change: a store of another format is emptied when it is opened. */
const FORMAT = 2;
/** A transaction copies its chunks on the event loop: some ten of the book's size take a millisecond. */
const PUTS_PER_TRANSACTION = 16;
/** A full disk still takes what fits; more chunks in a row than a transaction has show that there is room again. */
const PUTS_TO_RECOVER = 2 * PUTS_PER_TRANSACTION;
const CHECKS_PER_TURN = 16;

/**
 * Keeps chunks in a folder on local disk, least recently stored evicted first. Chunk, age entry and totals are written
 * in one transaction, so a killed process leaves either all or none; every chunk carries a checksum that is verified on
 * each read. Chunks that arrive while a transaction is under way go into the next one together.
 *
 *   working ── a transaction fails ──> failing: one chunk at a time is tried, and what waits behind one that fails is given up
 *      └────── many chunks in a row ──────┘
 */
export class LmdbChunkStore implements ChunkStore {
  readonly tier = 'lmdb';
  readonly isLasting = true;
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #freeBytes: FreeBytes;
  readonly #root: RootDatabase;
  readonly #chunks: Database<Buffer, string>;
  readonly #ages: Database<AgeEntry, number>;
  readonly #totals: Database<Totals | number, string>;
  readonly #pending: PendingPut[] = [];
  #writing: Promise<void> | undefined;
  /** Chunks that must still be written in a row before this store counts as working; 0 while it works. */
  #putsToRecover = 0;
  #hasFailed = false;
  #hitCount = 0;
  #missCount = 0;
  #evictionCount = 0;
  #corruptCount = 0;

  /**
   * Opens or makes the store in `folder`; `freeBytes` asks its disk.
   * @throws ChunkStoreSettingsError when `limitBytes` is not a positive integer.
   * @throws ChunkStoreWriteError when there is no store yet and the disk has no room for one.
   * @throws ChunkStoreOpenError when the folder cannot be used.
   */
  constructor({
    folder,
    limitBytes,
    freeBytes = freeBytesOf,
  }: {
    readonly folder: string;
    readonly limitBytes: number;
    readonly freeBytes?: FreeBytes;
  }) {
    if (!Number.isSafeInteger(limitBytes) || limitBytes < 1) {
      throw new ChunkStoreSettingsError('lmdb', 'limitBytes must be a positive integer', limitBytes);
    }
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#freeBytes = freeBytes;
    try {
      mkdirSync(folder, { recursive: true });
      assertRoomToBegin(folder, freeBytes);
      // This class gathers writes itself; lmdb's own gathering leaves a promise that nobody handles when the disk is full.
      this.#root = open({ path: folder, maxDbs: 3, eventTurnBatching: false });
      this.#chunks = this.#root.openDB({ name: 'chunks', encoding: 'binary' });
      this.#ages = this.#root.openDB({ name: 'ages', encoding: 'json' });
      this.#totals = this.#root.openDB({ name: 'totals', encoding: 'json' });
      if (this.#totals.get(FORMAT_KEY) !== FORMAT) this.#root.transactionSync(() => this.#empty());
    } catch (cause) {
      if (cause instanceof ChunkStoreWriteError) throw cause;
      if (isDiskFull(cause)) throw new ChunkStoreWriteError(folder, cause);
      throw new ChunkStoreOpenError(folder, cause);
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- what lmdb throws must reject
  async get(key: string): Promise<Int16Array | undefined> {
    const stored = this.#view(key);
    const voxels = stored && decodeStoredChunk(stored);
    if (voxels !== undefined) {
      this.#hitCount++;
      return voxels;
    }
    this.#missCount++;
    if (stored !== undefined) {
      this.#corruptCount++;
      // Behind the answer: the chunk is cut again meanwhile. One that cannot be dropped is found damaged again.
      this.#transact(() => this.#drop(key)).catch(() => undefined);
    }
    return undefined;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- what lmdb throws must reject
  async has(key: string): Promise<boolean> {
    return this.#chunks.doesExist(key);
  }

  put(key: string, voxels: Int16Array): Promise<void> {
    if (voxels.byteLength > this.#limitBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending.push({ key, voxels, resolve, reject });
      this.#writing ??= this.#writePending();
    });
  }

  stats(): TierCounts {
    const { entryCount, sizeBytes } = this.#readTotals();
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

  /**
   * Reads every chunk and drops those that are damaged. `onProgress` is told how many of how many were read.
   * @throws ChunkStoreWriteError when a damaged one cannot be dropped.
   */
  async verify(onProgress: (done: number, total: number) => void = () => undefined): Promise<CheckedChunks> {
    const { entryCount } = this.#readTotals();
    const [sound, damaged]: [AgeEntry[], string[]] = [[], []];
    for (const { value: entry } of this.#ages.getRange({})) {
      const stored = this.#view(entry.key);
      if (stored !== undefined && decodeStoredChunk(stored) !== undefined) sound.push(entry);
      else damaged.push(entry.key);
      const done = sound.length + damaged.length;
      if (done % CHECKS_PER_TURN !== 0) continue;
      onProgress(done, entryCount);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const key of damaged) await this.#transact(() => this.#drop(key));
    return {
      entryCount: sound.length + damaged.length,
      sizeBytes: sound.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      corruptCount: damaged.length,
    };
  }

  /**
   * Drops every chunk.
   * @throws ChunkStoreWriteError when the disk takes no writes.
   */
  async clear(): Promise<void> {
    await this.#transact(() => this.#empty());
  }

  async close(): Promise<void> {
    await this.#writing;
    // lmdb would wait for the flush of a failed commit, which never comes, unless another follows: one that writes nothing.
    if (this.#hasFailed) await this.#root.transaction(() => undefined);
    await this.#root.close();
  }

  async #writePending(): Promise<void> {
    // The first one waits a turn for others that were cut at the same time.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0) {
      const puts = this.#pending.splice(0, this.#isFailing ? 1 : PUTS_PER_TRANSACTION);
      try {
        this.#evictionCount += await this.#transact(() => this.#writeAll(puts));
        this.#putsToRecover = Math.max(0, this.#putsToRecover - puts.length);
        for (const { resolve } of puts) resolve();
      } catch (error) {
        if (this.#isFailing) puts.push(...this.#pending.splice(0));
        this.#putsToRecover = PUTS_TO_RECOVER;
        for (const { reject } of puts) reject(error);
      }
    }
    // Without a wait after the last look: a put from now on begins a new round.
    this.#writing = undefined;
  }

  get #isFailing(): boolean {
    return this.#putsToRecover > 0;
  }

  /**
   * Runs `write` in a transaction of its own and waits until that is committed.
   * @throws ChunkStoreWriteError when the disk takes no writes; nothing of `write` is then kept.
   */
  async #transact<Result>(write: () => Result): Promise<Result> {
    try {
      // A failed commit of lmdb's own thread is printed by lmdb, with its stack, each time. One on this thread is thrown and no
      // more, so that is how a store writes that fails or may: rare enough to wait for the disk.
      if (this.#isFailing || !hasRoomToCommit(this.#folder, this.#freeBytes))
        return this.#root.transactionSync(write);
      return await this.#root.transaction(write);
    } catch (error) {
      this.#hasFailed = true;
      throw new ChunkStoreWriteError(this.#folder, await reasonOf(error));
    }
  }

  /** Runs inside a transaction, as all that follow. Returns how many chunks were evicted. */
  #writeAll(puts: readonly PendingPut[]): number {
    return puts.reduce((evictedCount, { key, voxels }) => evictedCount + this.#write(key, voxels), 0);
  }

  #write(key: string, voxels: Int16Array): number {
    let evictedCount = 0;
    if (!this.#chunks.doesExist(key)) {
      const left = this.#makeRoom(voxels.byteLength);
      const { entryCount, sizeBytes, nextAge } = left;
      evictedCount = left.evictedCount;
      this.#ages.putSync(nextAge, { key, sizeBytes: voxels.byteLength });
      this.#totals.putSync(TOTALS_KEY, {
        entryCount: entryCount + 1,
        sizeBytes: sizeBytes + voxels.byteLength,
        nextAge: nextAge + 1,
      });
    }
    this.#chunks.putSync(key, encodeStoredChunk(voxels));
    return evictedCount;
  }

  /** Drops the oldest chunks until `neededBytes` more fit; returns what is left. */
  #makeRoom(neededBytes: number): Totals & { readonly evictedCount: number } {
    const { nextAge, ...held } = this.#readTotals();
    let { entryCount, sizeBytes } = held;
    if (sizeBytes + neededBytes > this.#limitBytes) {
      for (const { key: age, value } of this.#ages.getRange({})) {
        if (sizeBytes + neededBytes <= this.#limitBytes) break;
        this.#ages.removeSync(age);
        this.#chunks.removeSync(value.key);
        entryCount--;
        sizeBytes -= value.sizeBytes;
      }
    }
    return { entryCount, sizeBytes, nextAge, evictedCount: held.entryCount - entryCount };
  }

  /** Drops one chunk. Damage is rare, so that looking through the ages for it is good enough. */
  #drop(key: string): void {
    this.#chunks.removeSync(key);
    for (const { key: age, value } of this.#ages.getRange({})) {
      if (value.key !== key) continue;
      this.#ages.removeSync(age);
      const { entryCount, sizeBytes, nextAge } = this.#readTotals();
      this.#totals.putSync(TOTALS_KEY, {
        entryCount: entryCount - 1,
        sizeBytes: sizeBytes - value.sizeBytes,
        nextAge,
      });
      return;
    }
  }

  #empty(): void {
    this.#chunks.clearSync();
    this.#ages.clearSync();
    this.#totals.clearSync();
    this.#totals.putSync(FORMAT_KEY, FORMAT);
  }

  /** The bytes of an entry where lmdb reads to: good until the next read. */
  #view(key: string): Uint8Array | undefined {
    const view = this.#chunks.getBinaryFast(key);
    // Its `length` is the entry's, its `byteLength` that of the whole buffer.
    return view?.subarray(0, view.length);
  }

  #readTotals(): Totals {
    return (this.#totals.get(TOTALS_KEY) as Totals | undefined) ?? EMPTY;
  }
}

/** Why a transaction failed. lmdb hides the reason of a failed commit in a promise, which must be handled. */
async function reasonOf(error: unknown): Promise<unknown> {
  let reason = error;
  const { commitError } = error as { readonly commitError?: Promise<unknown> };
  commitError?.catch((hidden: unknown) => (reason = hidden));
  // It is rejected in the same turn; waiting for itself would hang should a version of lmdb leave it pending.
  await new Promise((resolve) => setImmediate(resolve));
  return reason;
}
