import type { SharedBuffers } from '@lunastream/transform-pool';
import { LRUCache } from 'lru-cache';

/** Keys whose latest requests are remembered, of chunks that are kept and of others; some 4 MB. */
const REMEMBERED_KEYS = 16_384;
/** For a key that was never asked for before. */
const NEVER = -1;

/** A raw chunk in shared memory, lent until it is released. */
export interface RawChunk {
  /** int16 HU, C order. Whoever borrows it must not change it. */
  readonly voxels: SharedArrayBuffer;
}

/** Counters since the worker started, and what it holds now. */
export interface RawChunkStats {
  readonly hitCount: number;
  readonly missCount: number;
  readonly evictionCount: number;
  readonly entryCount: number;
  readonly sizeBytes: number;
  readonly limitBytes: number;
}

interface Entry extends RawChunk {
  lentCount: number;
  isKept: boolean;
  /** Number of the request that asked for it last. */
  lastRequest: number;
}

interface Requests {
  previous: number;
  latest: number;
}

/**
 * Keeps raw chunks that are asked for again and again: balanced training shows each nodule many times an epoch.
 *
 * Plain least-recently-used keeps nothing there. Every nodule returns after all others and as many negatives, which are
 * hardly ever asked for twice, so that each is dropped just before it is wanted. Here, once memory is full, a chunk takes
 * the place of the least recently used only if its own previous request is more recent: negatives never do, and of more
 * nodules than fit, those that are kept stay and are found each time.
 *
 * A chunk is lent out; its memory is used again when it is neither kept nor lent. One that nobody releases is collected
 * as garbage.
 */
export class RawChunkMemory {
  readonly #limitBytes: number;
  readonly #buffers: SharedBuffers;
  readonly #kept: LRUCache<string, Entry> | undefined;
  readonly #requestsOf = new LRUCache<string, Requests>({ max: REMEMBERED_KEYS });
  #requestCount = 0;
  #hitCount = 0;
  #evictionCount = 0;

  /** @param limitBytes Most bytes of voxels that are kept; 0 keeps none. */
  constructor({ limitBytes, buffers }: { readonly limitBytes: number; readonly buffers: SharedBuffers }) {
    this.#limitBytes = limitBytes;
    this.#buffers = buffers;
    this.#kept =
      limitBytes === 0
        ? undefined
        : new LRUCache({ maxSize: limitBytes, sizeCalculation: ({ voxels }) => voxels.byteLength });
  }

  /** The chunk kept under `key`, lent out, or undefined. */
  lend(key: string): RawChunk | undefined {
    const entry = this.#kept?.get(key);
    const latest = this.#noteRequest(key);
    return entry === undefined ? undefined : this.#lendOut(entry, latest);
  }

  /** The chunks kept under `keys`, all of them lent out, or undefined when one is missing: then none is. */
  lendAll(keys: readonly string[]): RawChunk[] | undefined {
    const entries: Entry[] = [];
    for (const key of keys) {
      const entry = this.#kept?.get(key);
      if (entry === undefined) return undefined;
      entries.push(entry);
    }
    return entries.map((entry, index) => this.#lendOut(entry, this.#noteRequest(keys[index]!)));
  }

  /** Copies the voxels of a chunk that `lend` did not have, keeps them under `key` when that pays, and lends them out. */
  add(key: string | undefined, voxelsHu: Uint8Array): RawChunk {
    // Two leases may have asked for it at the same time.
    const present = key === undefined ? undefined : this.#kept?.peek(key);
    if (present !== undefined) {
      present.lentCount++;
      return present;
    }
    const entry: Entry = {
      voxels: this.#buffers.copyOf(voxelsHu),
      lentCount: 1,
      isKept: false,
      lastRequest: NEVER,
    };
    if (key !== undefined && this.#kept !== undefined) this.#keep(this.#kept, key, entry);
    return entry;
  }

  /** Ends one loan of `chunk`. */
  release(chunk: RawChunk): void {
    const entry = chunk as Entry;
    entry.lentCount--;
    this.#recycle(entry);
  }

  stats(): RawChunkStats {
    return {
      hitCount: this.#hitCount,
      missCount: this.#requestCount - this.#hitCount,
      evictionCount: this.#evictionCount,
      entryCount: this.#kept?.size ?? 0,
      sizeBytes: this.#kept?.calculatedSize ?? 0,
      limitBytes: this.#limitBytes,
    };
  }

  /** The number of this request for `key`. */
  #noteRequest(key: string): number {
    const latest = this.#requestCount++;
    const requests = this.#requestsOf.get(key);
    if (requests === undefined) {
      this.#requestsOf.set(key, { previous: NEVER, latest });
    } else {
      requests.previous = requests.latest;
      requests.latest = latest;
    }
    return latest;
  }

  #lendOut(entry: Entry, latest: number): RawChunk {
    this.#hitCount++;
    entry.lentCount++;
    entry.lastRequest = latest;
    return entry;
  }

  #keep(kept: LRUCache<string, Entry>, key: string, entry: Entry): void {
    const { previous, latest } = this.#requestsOf.get(key) ?? { previous: NEVER, latest: NEVER };
    if (!this.#makeRoom(kept, entry.voxels.byteLength, previous)) return;
    entry.lastRequest = latest;
    entry.isKept = true;
    kept.set(key, entry);
  }

  #makeRoom(kept: LRUCache<string, Entry>, sizeBytes: number, previousRequest: number): boolean {
    if (sizeBytes > this.#limitBytes) return false;
    while (kept.calculatedSize + sizeBytes > this.#limitBytes) {
      const [oldestKey] = kept.rkeys() as Iterable<string> as [string];
      const oldest = kept.peek(oldestKey)!;
      if (oldest.lastRequest > previousRequest) return false;
      kept.delete(oldestKey);
      this.#evictionCount++;
      oldest.isKept = false;
      this.#recycle(oldest);
    }
    return true;
  }

  #recycle({ voxels, isKept, lentCount }: Entry): void {
    if (!isKept && lentCount === 0) this.#buffers.giveBack(voxels);
  }
}
