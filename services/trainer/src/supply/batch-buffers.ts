/** Two in the engine (runs/batch-steps.ts), one full, one being filled. */
const FEWEST_BUFFERS = 4;

/**
 * Shared memory of the batches of runs that ended, for those of the next run: fresh memory comes from the system page by page,
 * which takes longer than filling it. Nothing here keeps it alive; what a collection of garbage takes is made anew.
 */
export class BatchMemory {
  #ended: WeakRef<SharedArrayBuffer>[] = [];

  /** Memory of `sizeBytes` with arbitrary contents, which nobody else uses. */
  take(sizeBytes: number): SharedArrayBuffer {
    for (let ended = this.#ended.pop(); ended !== undefined; ended = this.#ended.pop()) {
      const memory = ended.deref();
      // That of another size is of no use to this run.
      if (memory?.byteLength === sizeBytes) return memory;
    }
    return new SharedArrayBuffer(sizeBytes);
  }

  /** Takes back memory that nobody writes to any more. */
  giveBack(memory: readonly SharedArrayBuffer[]): void {
    this.#ended = memory.map((one) => new WeakRef(one));
  }
}

/**
 * Buffers of one size in shared memory, used again and again by the passes of a run. They are all that holds samples: how
 * many there are bounds what is leased ahead of the engine.
 */
export class BatchBuffers {
  readonly #memory: BatchMemory;
  readonly #batchLength: number;
  readonly #mostBuffers: number;
  readonly #free: Float32Array[] = [];
  readonly #waiting: ((buffer: Float32Array) => void)[] = [];
  readonly #made: SharedArrayBuffer[] = [];

  /** Buffers of `batchLength` floats: as many as `maxBytes` holds, at least four, each made when it is first needed. */
  constructor(batchLength: number, maxBytes: number, memory: BatchMemory) {
    this.#memory = memory;
    this.#batchLength = batchLength;
    const fitting = Math.floor(maxBytes / (batchLength * Float32Array.BYTES_PER_ELEMENT));
    this.#mostBuffers = Math.max(FEWEST_BUFFERS, fitting);
  }

  /** A buffer with arbitrary contents; waits, first come, first served, while all are taken. */
  acquire(): Promise<Float32Array> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#made.length < this.#mostBuffers) {
      const memory = this.#memory.take(this.#batchLength * Float32Array.BYTES_PER_ELEMENT);
      this.#made.push(memory);
      return Promise.resolve(new Float32Array(memory));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives back what `acquire` gave. Nobody may touch it afterwards. */
  release(buffer: Float32Array): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }

  /** Ends the buffers, once nobody writes to any of them: the next run's may use their memory. */
  close(): void {
    this.#memory.giveBack(this.#made.splice(0));
  }
}
