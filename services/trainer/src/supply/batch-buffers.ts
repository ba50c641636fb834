/** Two in the engine (runs/batch-steps.ts), one full, one being filled. */
const FEWEST_BUFFERS = 4;

/**
 * Buffers of one size in shared memory, used again and again by the passes of a run. They are all that holds samples: how
 * many there are bounds what is leased ahead of the engine.
 */
export class BatchBuffers {
  readonly #batchLength: number;
  readonly #mostBuffers: number;
  readonly #free: Float32Array[] = [];
  readonly #waiting: ((buffer: Float32Array) => void)[] = [];
  #made = 0;

  /** Buffers of `batchLength` floats: as many as `maxBytes` holds, at least four, each made when it is first needed. */
  constructor(batchLength: number, maxBytes: number) {
    this.#batchLength = batchLength;
    const fitting = Math.floor(maxBytes / (batchLength * Float32Array.BYTES_PER_ELEMENT));
    this.#mostBuffers = Math.max(FEWEST_BUFFERS, fitting);
  }

  /** A buffer with arbitrary contents; waits, first come, first served, while all are taken. */
  acquire(): Promise<Float32Array> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#made < this.#mostBuffers) {
      this.#made++;
      const sizeBytes = this.#batchLength * Float32Array.BYTES_PER_ELEMENT;
      return Promise.resolve(new Float32Array(new SharedArrayBuffer(sizeBytes)));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives back what `acquire` gave. Nobody may touch it afterwards. */
  release(buffer: Float32Array): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}
