import { createClient, RESP_TYPES } from '@redis/client';
import type { ChunkStore, TierCounts } from './chunk-store.ts';
import { decodeStoredChunk, encodeStoredChunk } from './stored-chunk.ts';

export interface ValkeyChunkStoreOptions {
  /** `redis://[user:password@]host:port[/database]`, `rediss://` with TLS. */
  readonly url: string;
}

/** The keys of others on the same server stay apart. */
const PREFIX = 'lunastream:chunk:';
/** A chunk that takes longer is cut instead, which takes milliseconds; the server may just be busy. */
const COMMAND_TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 2000;
const LONGEST_RECONNECT_MS = 2000;

/** The server of the shared tier is away. */
export class SharedStoreAwayError extends Error {
  readonly tag = 'SharedStoreAwayError';
}

/** One client type: voxels are asked for as bytes, not text. */
function connect(url: string) {
  return createClient({
    url,
    // A command must fail, not wait, while the server is away: the chunk is cut meanwhile.
    disableOfflineQueue: true,
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(retries, 10)),
    },
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
}

/**
 * Keeps chunks on a Valkey or Redis server that several caches share. Limit and eviction are the server's
 * (`maxmemory` with `allkeys-lru`). While the server is away every look-up and put fails at once, and the client
 * connects again by itself. Each chunk carries a checksum that is verified on each read.
 */
export class ValkeyChunkStore implements ChunkStore {
  readonly tier = 'valkey';
  readonly isLasting = true;
  readonly #client: ReturnType<typeof connect>;
  #lastFault = 'it does not answer yet';
  #hitCount = 0;
  #missCount = 0;
  #corruptCount = 0;

  /** Connects behind the scenes: until the server answers, the store fails every call. */
  constructor({ url }: ValkeyChunkStoreOptions) {
    this.#client = connect(url);
    this.#client.on('error', (error: Error) => (this.#lastFault = error.message));
    this.#client.connect().catch((error: Error) => (this.#lastFault = error.message));
  }

  async get(key: string): Promise<Int16Array | undefined> {
    this.#assertReady();
    const stored = await this.#client.get(PREFIX + key);
    const voxels = stored === null ? undefined : decodeStoredChunk(stored);
    if (voxels !== undefined) {
      this.#hitCount++;
      return voxels;
    }
    this.#missCount++;
    if (stored !== null) {
      this.#corruptCount++;
      await this.#client.del(PREFIX + key);
    }
    return undefined;
  }

  async has(key: string): Promise<boolean> {
    this.#assertReady();
    return (await this.#client.exists(PREFIX + key)) > 0;
  }

  async put(key: string, voxels: Int16Array): Promise<void> {
    this.#assertReady();
    await this.#client.set(PREFIX + key, encodeStoredChunk(voxels));
  }

  stats(): TierCounts {
    return {
      tier: this.tier,
      hitCount: this.#hitCount,
      missCount: this.#missCount,
      entryCount: 0,
      sizeBytes: 0,
      limitBytes: 0,
      evictionCount: 0,
      corruptCount: this.#corruptCount,
    };
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #assertReady(): void {
    if (this.#client.isReady) return;
    throw new SharedStoreAwayError(`Cannot reach the valkey tier: ${this.#lastFault}`);
  }
}
