import type { SharedMemory } from './shared-memory.ts';

/** Room for something of varying size: as large as the largest so far. */
export class GrowingBlock {
  readonly #memory: SharedMemory;
  #address = 0;
  #bytes = 0;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** 0 before the first `reserve`. */
  get address(): number {
    return this.#address;
  }

  /** Address of at least `bytes`. What was there is lost when the block has to move. */
  reserve(bytes: number): number {
    if (bytes <= this.#bytes) return this.#address;
    if (this.#address !== 0) this.#memory.release(this.#address);
    this.#address = 0;
    this.#bytes = 0;
    this.#address = this.#memory.allocate(bytes);
    this.#bytes = bytes;
    return this.#address;
  }
}
