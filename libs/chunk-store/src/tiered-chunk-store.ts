import type { ChunkStore, TierStats } from './chunk-store.ts';
import { SingleFlight } from './single-flight.ts';
import { TierHealth, type TierEvents } from './tier-health.ts';

/** A tier and how it does. */
interface Tier {
  readonly store: ChunkStore;
  readonly health: TierHealth;
  /** Bytes of chunks that wait to be kept. */
  pendingBytes: number;
}

/** A tier that falls behind must not hold what it still has to keep in memory without end. */
const MOST_PENDING_BYTES = 64 * 2 ** 20;
/** A tier that is full still keeps what is small enough: only many chunks in a row show that it works again. */
const PUTS_TO_RECOVER = 32;

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
  readonly #flights = new SingleFlight<Int16Array>();
  readonly #pendingPuts = new Set<Promise<void>>();
  #cutCount = 0;

  constructor(stores: readonly ChunkStore[], events: TierEvents) {
    this.#tiers = stores.map((store) => ({
      store,
      health: new TierHealth(store.tier, events, PUTS_TO_RECOVER),
      pendingBytes: 0,
    }));
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

  /**
   * Makes sure that the chunk under `key` outlives this process: cuts it unless a tier that lasts has it, and returns when
   * those have kept it, or failed to.
   */
  async ensureKept(key: string, cut: () => Promise<Int16Array>): Promise<'kept' | 'cut'> {
    const lasting = this.#tiers.filter(({ store }) => store.isLasting);
    for (const tier of lasting) if (await this.#isKept(tier, key)) return 'kept';
    this.#cutCount++;
    const voxels = await cut();
    await Promise.all(lasting.map((tier) => this.#put(tier, key, voxels)));
    return 'cut';
  }

  /** Counters of every tier, nearest first. */
  stats(): TierStats[] {
    return this.#tiers.map(({ store, health }) => ({ ...store.stats(), errorCount: health.errorCount }));
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
      tier.health.noteFailure(error);
      return undefined;
    }
  }

  #keep(tiers: readonly Tier[], key: string, voxels: Int16Array): void {
    for (const tier of tiers) {
      if (tier.pendingBytes + voxels.byteLength > MOST_PENDING_BYTES) {
        tier.health.noteFailure(
          new Error(`Cannot keep a chunk: ${tier.pendingBytes} bytes of others wait to be kept already`),
        );
        continue;
      }
      const put = this.#put(tier, key, voxels).finally(() => this.#pendingPuts.delete(put));
      this.#pendingPuts.add(put);
    }
  }

  /** Never rejects. */
  async #put(tier: Tier, key: string, voxels: Int16Array): Promise<void> {
    tier.pendingBytes += voxels.byteLength;
    try {
      await tier.store.put(key, voxels);
      tier.health.noteSuccess();
    } catch (error) {
      tier.health.noteFailure(error);
    } finally {
      tier.pendingBytes -= voxels.byteLength;
    }
  }

  async #isKept(tier: Tier, key: string): Promise<boolean> {
    try {
      return await tier.store.has(key);
    } catch (error) {
      tier.health.noteFailure(error);
      return false;
    }
  }
}
