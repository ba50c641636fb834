import { setFlagsFromString } from 'node:v8';

/** The most that V8 lets a heap grow between two full collections by itself: to four times its size. */
const GROWING_PERCENT = 300;

/**
 * Lets the heap grow to four times what is alive before all of it is collected.
 *
 * A service that carries bytes drops some 40 MB of received buffers between two collections of young objects. V8 counts
 * them to a heap of 30 MB that it wants to keep below 52 MB, and so marks all of it after each: in a trainer a full
 * collection for every 130 samples, which took as long as all the rest of receiving them (docs/decisions/wire-speed.md).
 * They are dead by then and cost nothing but the waiting; of what lives, no more is kept than V8's own limits allow.
 *
 * Takes effect with the next full collection. V8 reads the flag whenever it computes that limit.
 */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
}
