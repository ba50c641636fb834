import type { ChunkStore, TierStats } from './chunk-store.ts';
import { SingleFlight } from './single-flight.ts';

/** What is worth telling people: a tier began to fail, or works again. What fails in between is counted. */
export interface TierEvents {
  readonly onTierError: (tier: string, error: unknown) => void;
  readonly onTierRecovered?: (tier: string) => void;
}

/** A tier and how it does. */
interface Tier {
  readonly store: ChunkStore;
  errorCount: number;
  isFailing: boolean;
}

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
  readonly #tiers: readonly Tier[];
  readonly #events: TierEvents;
  readonly #flights = new SingleFlight<Int16Array>();
  readonly #pendingPuts = new Set<Promise<void>>();
  #cutCount = 0;

  constructor(stores: readonly ChunkStore[], events: TierEvents) {
    this.#tiers = stores.map((store) => ({ store, errorCount: 0, isFailing: false }));
    this.#events = events;
  }

  /** Chunks that no tier had. */
  get cutCount(): number {
    return this.#cutCount;
  }

  /** The chunk under `key`; `cut` makes it when no tier has it, and its error is the caller's. */
  getOrCut(key: string, cut: () => Promise<Int16Array>): Promise<Int16Array> {
    return this.#flights.run(key, async () => {
      for (const [position, tier] of this.#tiers.entries()) {
        const found = await this.#look(tier, key);
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
    return this.#tiers.map(({ store, errorCount }) => ({ ...store.stats(), errorCount }));
  }

  /** Waits until what was found or cut so far is kept. */
  async settled(): Promise<void> {
    await Promise.all(this.#pendingPuts);
  }

  /** Waits until everything is kept and closes every tier. */
  async close(): Promise<void> {
    await this.settled();
    await Promise.all(this.#tiers.map(({ store }) => store.close()));
  }

  async #look(tier: Tier, key: string): Promise<Int16Array | undefined> {
    try {
      return await tier.store.get(key);
    } catch (error) {
      this.#noteFailure(tier, error);
      return undefined;
    }
  }

  #keep(tiers: readonly Tier[], key: string, voxels: Int16Array): void {
    for (const tier of tiers) {
      const put = tier.store
        .put(key, voxels)
        .then(
          () => this.#noteSuccess(tier),
          (error: unknown) => this.#noteFailure(tier, error),
        )
        .finally(() => this.#pendingPuts.delete(put));
      this.#pendingPuts.add(put);
    }
  }

  /** Said once: a full disk fails every put until somebody makes room. */
  #noteFailure(tier: Tier, error: unknown): void {
    tier.errorCount++;
    if (tier.isFailing) return;
    tier.isFailing = true;
    this.#events.onTierError(tier.store.tier, error);
  }

  #noteSuccess(tier: Tier): void {
    if (!tier.isFailing) return;
    tier.isFailing = false;
    this.#events.onTierRecovered?.(tier.store.tier);
  }
}
