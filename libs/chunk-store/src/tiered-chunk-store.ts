import type { ChunkStore, TierStats } from './chunk-store.ts';
import { SingleFlight } from './single-flight.ts';

/**
 * Looks a chunk up in tiers, nearest first, and cuts it when none has it.
 *
 *   request ── memory ── lmdb ── cut
 *                 └────────┴─ what was found is put into every nearer tier
 *
 * Callers that ask for one chunk at the same time share one look-up and one cut. The chunk is answered as soon as it is
 * there; keeping it goes on behind the answer, and a tier that cannot keep it is reported, not fatal.
 */
export class TieredChunkStore {
  readonly #tiers: readonly ChunkStore[];
  readonly #onTierError: (tier: string, error: unknown) => void;
  readonly #flights = new SingleFlight<Int16Array>();
  readonly #pendingPuts = new Set<Promise<void>>();
  #cutCount = 0;

  constructor(tiers: readonly ChunkStore[], onTierError: (tier: string, error: unknown) => void) {
    this.#tiers = tiers;
    this.#onTierError = onTierError;
  }

  /** Chunks that no tier had. */
  get cutCount(): number {
    return this.#cutCount;
  }

  /** The chunk under `key`; `cut` makes it when no tier has it, and its error is the caller's. */
  getOrCut(key: string, cut: () => Promise<Int16Array>): Promise<Int16Array> {
    return this.#flights.run(key, async () => {
      for (const [position, store] of this.#tiers.entries()) {
        const found = await this.#look(store, key);
        if (found !== undefined) {
          this.#keep(this.#tiers.slice(0, position), key, found);
          return found;
        }
      }
      this.#cutCount++;
      const voxels = await cut();
      this.#keep(this.#tiers, key, voxels);
      return voxels;
    });
  }

  /** Counters of every tier, nearest first. */
  stats(): TierStats[] {
    return this.#tiers.map((store) => store.stats());
  }

  /** Waits until everything is kept and closes every tier. */
  async close(): Promise<void> {
    await Promise.all(this.#pendingPuts);
    await Promise.all(this.#tiers.map((store) => store.close()));
  }

  async #look(store: ChunkStore, key: string): Promise<Int16Array | undefined> {
    try {
      return await store.get(key);
    } catch (error) {
      this.#onTierError(store.tier, error);
      return undefined;
    }
  }

  #keep(stores: readonly ChunkStore[], key: string, voxels: Int16Array): void {
    for (const store of stores) {
      const put = store
        .put(key, voxels)
        .catch((error: unknown) => this.#onTierError(store.tier, error))
        .finally(() => this.#pendingPuts.delete(put));
      this.#pendingPuts.add(put);
    }
  }
}
