/** Most bytes that one call holds ahead of its client, unless one chunk is larger. Eight of the book's size take a megabyte. */
const CALL_LIMIT_BYTES = 16 * 2 ** 20;

/**
 * Bounds what is cut and not sent yet, in bytes of voxels, whatever clients do: cutting and sending overlap, and a client
 * that does not read holds no more than its share. Each call may hold one chunk, so that none waits for another; more
 * only within the limit of a call and that of all calls together.
 */
export class ChunksAhead {
  readonly #limitBytes: number;
  #heldBytes = 0;

  /** @param limitBytes Of all calls together, beside one chunk of each. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes of chunks that are being cut or wait to be sent. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether a call that holds `heldBytes` may hold `moreBytes` as well; they are then held. */
  tryHold(heldBytes: number, moreBytes: number): boolean {
    const isWithinLimits =
      heldBytes + moreBytes <= CALL_LIMIT_BYTES && this.#heldBytes + moreBytes <= this.#limitBytes;
    if (heldBytes > 0 && !isWithinLimits) return false;
    this.#heldBytes += moreBytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

/** What one call holds: chunks from before they are cut until they are sent, or the call is over. */
export class CallAhead {
  readonly #all: ChunksAhead;
  readonly #chunkBytes: number;
  #heldBytes = 0;
  #isOver = false;
  /** One waits at a time: the source of the call's chunks until there is room, then its end until all are sent. */
  #wake: () => void = () => undefined;

  /** @param chunkBytes Bytes of each chunk of the call. */
  constructor(all: ChunksAhead, chunkBytes: number) {
    this.#all = all;
    this.#chunkBytes = chunkBytes;
  }

  /** The items of `source`, one for each chunk, each as soon as that may be cut. Ends early once the call is over. */
  async *paced<Item>(source: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
    for (const item of source) {
      while (!this.#isOver && !this.#all.tryHold(this.#heldBytes, this.#chunkBytes)) await this.#change();
      if (this.#isOver) return;
      this.#heldBytes += this.#chunkBytes;
      yield item;
    }
  }

  /** One of the chunks was sent. */
  noteSent(): void {
    if (this.#isOver) return;
    this.#all.release(this.#chunkBytes);
    this.#heldBytes -= this.#chunkBytes;
    this.#wake();
  }

  /** Resolves when every chunk was sent, or the call is over. */
  async sent(): Promise<void> {
    while (this.#heldBytes > 0) await this.#change();
  }

  /** The call is over: what was not sent never will be. */
  end(): void {
    this.#isOver = true;
    this.#all.release(this.#heldBytes);
    this.#heldBytes = 0;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
