import { ChunkTooLargeError } from './errors.ts';
import type { Address } from './kernels.ts';
import { webAssembly, type WasmMemory } from './web-assembly.ts';

const PAGE_BYTES = 65_536;
/** What a 32-bit address reaches. */
const MOST_BYTES = 0x1_0000_0000;
const ALIGNMENT = 64;

/**
 * WebAssembly memory that is laid out afresh for every sample: `reset`, then `take` what is needed. It grows to the
 * largest layout it has seen, never beyond its limit, and is not given back before the owner is collected.
 */
export class KernelMemory {
  readonly memory: WasmMemory;
  readonly #maxBytes: number;
  #end = 0;

  /**
   * @param maxBytes rounded down to whole pages of 64 KiB.
   * @throws RangeError when it is below one page or beyond 4 GiB.
   */
  constructor(maxBytes: number) {
    if (!(maxBytes >= PAGE_BYTES && maxBytes <= MOST_BYTES)) {
      throw new RangeError(
        `Cannot make kernel memory: its limit must be in ${PAGE_BYTES}..${MOST_BYTES} bytes, got ${maxBytes}`,
      );
    }
    const pages = Math.floor(maxBytes / PAGE_BYTES);
    this.#maxBytes = pages * PAGE_BYTES;
    this.memory = new webAssembly.Memory({ initial: 1, maximum: pages });
  }

  get sizeBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** Forgets what was taken; memory below `start` is never given out. */
  reset(start: Address): void {
    this.#end = Math.ceil(start / ALIGNMENT) * ALIGNMENT;
  }

  /**
   * The address of `sizeBytes` of memory, aligned to 64 bytes, with the bytes of an earlier sample in it. Views made
   * before are detached when the memory grows: take first, then make views.
   * @throws ChunkTooLargeError beyond the limit.
   */
  take(sizeBytes: number): Address {
    const address = this.#end;
    this.#end = Math.ceil((address + sizeBytes) / ALIGNMENT) * ALIGNMENT;
    if (this.#end > this.#maxBytes) throw new ChunkTooLargeError(this.#maxBytes, this.#end);
    const missingBytes = this.#end - this.sizeBytes;
    if (missingBytes > 0) this.memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    return address;
  }
}
