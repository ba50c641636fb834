import type { Clock } from '../src/clock.ts';

/** Time that stands still until it is told to go on. */
export class FakeClock implements Clock {
  readonly #start: Date;
  #elapsedMs = 0;

  /** Local time. */
  constructor(start = new Date(2026, 10, 23, 9, 5, 13)) {
    this.#start = start;
  }

  now(): Date {
    return new Date(this.#start.getTime() + this.#elapsedMs);
  }

  nowMs(): number {
    return this.#elapsedMs;
  }

  advance(durationMs: number): void {
    this.#elapsedMs += durationMs;
  }
}
