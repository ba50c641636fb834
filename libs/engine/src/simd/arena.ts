/**
 * Addresses from one contiguous piece of memory, given out in order. An arena at address 0 measures what a plan needs:
 * `size` tells afterwards.
 */
const ALIGNMENT = 64;

export class Arena {
  readonly #start: number;
  #next: number;
  #highest: number;

  constructor(start: number) {
    this.#start = start;
    this.#next = start;
    this.#highest = start;
  }

  /** Most bytes in use at any time so far. */
  get size(): number {
    return this.#highest - this.#start;
  }

  take(bytes: number): number {
    const address = this.#next;
    this.#next += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    this.#highest = Math.max(this.#highest, this.#next);
    return address;
  }

  /** Runs `plan`; what it takes is free again afterwards: room for intermediate results of one kernel call. */
  temporarily<Result>(plan: () => Result): Result {
    const next = this.#next;
    const result = plan();
    this.#next = next;
    return result;
  }
}
