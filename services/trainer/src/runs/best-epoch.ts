import { isBetter } from '@lunastream/metrics';

/** The epoch whose validation scored best so far, and how many validations came after it. */
export class BestEpoch {
  readonly #scoreName: string;
  #epoch = 0;
  #score: number | undefined;
  #validationsSince = 0;

  /** @param scoreName Called so in sentences. */
  constructor(scoreName: string) {
    this.#scoreName = scoreName;
  }

  /** 0 while there is none. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Validations that were no better, since the best one or since the start. */
  get validationsSince(): number {
    return this.#validationsSince;
  }

  /** Takes the validation of `epoch`, undefined where it has no score; tells whether it is the new best. */
  note(epoch: number, score: number | undefined): boolean {
    this.#validationsSince++;
    if (!isBetter(score, this.#score)) return false;
    this.#validationsSince = 0;
    this.#score = score;
    this.#epoch = epoch;
    return true;
  }

  /** One line for the end of a run. */
  sentence(): string {
    return this.#score === undefined
      ? `No best epoch: ${this.#scoreName} was undefined in every validation`
      : `Best ${this.#scoreName} ${this.#score.toFixed(4)} in epoch ${this.#epoch}`;
  }
}
