/** What is worth telling people: a tier began to fail, or works again. What fails in between is counted. */
export interface TierEvents {
  readonly onTierError: (tier: string, error: unknown) => void;
  readonly onTierRecovered?: (tier: string) => void;
}

/** Whether a tier works. Says so once when that changes: a full disk fails every write until somebody makes room. */
export class TierHealth {
  readonly #tier: string;
  readonly #events: TierEvents;
  #errorCount = 0;
  #isFailing = false;

  constructor(tier: string, events: TierEvents) {
    this.#tier = tier;
    this.#events = events;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  noteFailure(error: unknown): void {
    this.#errorCount++;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#events.onTierError(this.#tier, error);
  }

  noteSuccess(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#events.onTierRecovered?.(this.#tier);
  }
}
