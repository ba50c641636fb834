/** What is worth telling people: a tier began to fail, or works again. What fails in between is counted. */
export interface TierEvents {
  readonly onTierError: (tier: string, error: unknown) => void;
  readonly onTierRecovered?: (tier: string) => void;
}

/** Whether a tier works. Says so once when that changes: a full disk fails every write until somebody makes room. */
export class TierHealth {
  readonly #tier: string;
  readonly #events: TierEvents;
  readonly #successesToRecover: number;
  #errorCount = 0;
  /** Successes that are still wanted before the tier counts as working; 0 while it works. */
  #successesWanted = 0;

  /** `successesToRecover` in a row, without a failure, make a tier that failed one that works. */
  constructor(tier: string, events: TierEvents, successesToRecover = 1) {
    this.#tier = tier;
    this.#events = events;
    this.#successesToRecover = successesToRecover;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  noteFailure(error: unknown): void {
    this.#errorCount++;
    const isKnown = this.#successesWanted > 0;
    this.#successesWanted = this.#successesToRecover;
    if (isKnown) return;
    this.#events.onTierError(this.#tier, error);
  }

  noteSuccess(): void {
    if (this.#successesWanted === 0 || --this.#successesWanted > 0) return;
    this.#events.onTierRecovered?.(this.#tier);
  }
}
