/**
 * One WebAssembly memory that all threads share, given out in blocks. Addresses are byte offsets into it. Released blocks
 * are used again and merged with their neighbours, so that equal steps need no more memory than the first.
 */
import { EngineMemoryError } from '../errors.ts';
import { webAssembly, type WasmMemory } from './web-assembly.ts';

const PAGE_BYTES = 65_536;
/** All that 32-bit addresses reach. Reserved, not used: pages are taken as blocks need them. */
const LARGEST_PAGES = 65_536;
/** A cache line: blocks of different threads never share one. */
const ALIGNMENT = 64;
/** The first page belongs to the constants of the kernels' module; also, kernels take address 0 for "none". */
export const FIRST_ADDRESS = PAGE_BYTES;

interface Block {
  address: number;
  bytes: number;
}

export class SharedMemory {
  readonly memory: WasmMemory;
  /** Free blocks below `#end`, by address; no two adjoin. */
  readonly #free: Block[] = [];
  readonly #sizes = new Map<number, number>();
  #end = FIRST_ADDRESS;
  #usedBytes = 0;

  /** @param largestBytes most that may be given out, up to 4 GiB. */
  constructor(largestBytes = LARGEST_PAGES * PAGE_BYTES) {
    const maximum = Math.min(LARGEST_PAGES, Math.ceil(largestBytes / PAGE_BYTES));
    this.memory = new webAssembly.Memory({ initial: 1, maximum, shared: true });
  }

  /** Bytes given out now. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Address of a new block, aligned to 64 bytes; its content is undefined.
   * @throws EngineMemoryError when the memory is full.
   */
  allocate(bytes: number): number {
    const rounded = Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
    const address = this.#takeFree(rounded) ?? this.#extend(rounded);
    this.#sizes.set(address, rounded);
    this.#usedBytes += rounded;
    return address;
  }

  /** A block of zeros. */
  allocateZeros(bytes: number): number {
    const address = this.allocate(bytes);
    this.bytes(address, bytes).fill(0);
    return address;
  }

  /** A block with a copy of `content`. */
  allocateCopy(content: ArrayBufferView): number {
    const address = this.allocate(content.byteLength);
    this.bytes(address, content.byteLength).set(
      new Uint8Array(content.buffer, content.byteOffset, content.byteLength),
    );
    return address;
  }

  /** Takes a block back. Whoever still uses its address is wrong. */
  release(address: number): void {
    const bytes = this.#sizes.get(address);
    if (bytes === undefined) throw new Error(`internal: no block at address ${address}`);
    this.#sizes.delete(address);
    this.#usedBytes -= bytes;
    let index = this.#free.findIndex((block) => block.address > address);
    if (index < 0) index = this.#free.length;
    this.#free.splice(index, 0, { address, bytes });
    this.#mergeWithNext(index);
    if (index > 0) this.#mergeWithNext(index - 1);
  }

  /** Views end to be valid for new blocks when the memory grows: make one for each use. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  /** The smallest free block that is large enough, less its rest. */
  #takeFree(bytes: number): number | undefined {
    let best: Block | undefined;
    for (const block of this.#free) {
      if (block.bytes >= bytes && (best === undefined || block.bytes < best.bytes)) best = block;
    }
    if (best === undefined) return undefined;
    const { address } = best;
    best.address += bytes;
    best.bytes -= bytes;
    if (best.bytes === 0) this.#free.splice(this.#free.indexOf(best), 1);
    return address;
  }

  #extend(bytes: number): number {
    // A free block at the end is part of the extension.
    const last = this.#free.at(-1);
    const address = last !== undefined && last.address + last.bytes === this.#end ? last.address : this.#end;
    const missing = address + bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(Math.ceil(missing / PAGE_BYTES), bytes);
    if (address !== this.#end) this.#free.pop();
    this.#end = address + bytes;
    return address;
  }

  #grow(pages: number, bytes: number): void {
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw new EngineMemoryError(bytes, this.#usedBytes, { cause });
    }
  }

  #mergeWithNext(index: number): void {
    const block = this.#free[index]!;
    const next = this.#free[index + 1];
    if (next === undefined || block.address + block.bytes !== next.address) return;
    block.bytes += next.bytes;
    this.#free.splice(index + 1, 1);
  }
}
