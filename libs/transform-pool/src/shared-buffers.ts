const COPY_ALIGNMENT = 8;

/**
 * Shared memory for the voxels of chunks, used again and again: asking the system for a buffer takes several times as
 * long as filling it. Whoever takes a buffer may give it back; what is not given back is collected as garbage.
 */
export class SharedBuffers {
  readonly #limitBytes: number;
  readonly #idle: SharedArrayBuffer[] = [];
  #idleBytes = 0;
  #aligned = new Uint8Array(0);

  /** @param limitBytes Most bytes of buffers that wait for their next use. */
  constructor({ limitBytes }: { readonly limitBytes: number }) {
    this.#limitBytes = limitBytes;
  }

  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** A buffer of its own with a copy of `bytes`, which may begin anywhere in their buffer. */
  copyOf(bytes: Uint8Array): SharedArrayBuffer {
    const buffer = this.#take(bytes.byteLength);
    new Uint8Array(buffer).set(bytes.byteOffset % COPY_ALIGNMENT === 0 ? bytes : this.#align(bytes));
    return buffer;
  }

  /** Takes a buffer that nobody reads any more. */
  giveBack(buffer: SharedArrayBuffer): void {
    this.#idle.push(buffer);
    this.#idleBytes += buffer.byteLength;
    // The oldest go: they may have the size of chunks that nobody asks for any more.
    while (this.#idleBytes > this.#limitBytes) this.#idleBytes -= this.#idle.shift()!.byteLength;
  }

  #take(sizeBytes: number): SharedArrayBuffer {
    const at = this.#idle.findLastIndex(({ byteLength }) => byteLength === sizeBytes);
    if (at === -1) return new SharedArrayBuffer(sizeBytes);
    this.#idleBytes -= sizeBytes;
    return this.#idle.splice(at, 1)[0]!;
  }

  /** V8 copies unaligned bytes into shared memory one by one; into memory of our own and from there is four times as fast. */
  #align(bytes: Uint8Array): Uint8Array {
    if (this.#aligned.length < bytes.length) this.#aligned = new Uint8Array(bytes.length);
    const aligned = this.#aligned.subarray(0, bytes.length);
    aligned.set(bytes);
    return aligned;
  }
}
