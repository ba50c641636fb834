/** Tables of offsets that kernels read: where the rows of a convolution kernel meet its input. In bytes. */
import type { SharedMemory } from './shared-memory.ts';
import { FLOAT_BYTES, type VolumeSteps } from './volumes.ts';

const VECTOR_BYTES = 16;
/** Vectors of a group: kernels/gradient-list.ts. */
const GROUP_VECTORS = 6;

/** Tables in shared memory, equal ones once. */
export class KernelTables {
  readonly #memory: SharedMemory;
  readonly #addresses = new Map<string, number>();

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** Address of a table with these 32-bit values. */
  addressOf(values: readonly number[]): number {
    const key = values.join();
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const address = this.#memory.allocateCopy(Int32Array.from(values));
    this.#addresses.set(key, address);
    return address;
  }

  dispose(): void {
    for (const address of this.#addresses.values()) this.#memory.release(address);
    this.#addresses.clear();
  }
}

/** Size of a convolution kernel: rows (depth times height) of contiguous inputs (width times channels). */
export interface KernelShape {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
}

/** Bytes of one output channel's kernel with rows filled up to whole vectors. */
export function rowsKernelBytes({ depth, height, width, inputs }: KernelShape): number {
  return depth * height * Math.ceil((width * inputs * FLOAT_BYTES) / VECTOR_BYTES) * VECTOR_BYTES;
}

/** From a position's first input to each kernel row. */
export function rowOffsets({ depth, height }: KernelShape, { plane, row }: VolumeSteps): number[] {
  return Array.from(
    { length: depth * height },
    (_, index) => Math.floor(index / height) * plane + (index % height) * row,
  );
}

/** The pairs (input offset, kernel offset) of a kernel's vectors: six neighbours together, and single ones. */
export function vectorPairs(
  kernel: KernelShape,
  steps: VolumeSteps,
): { groups: number[]; singles: number[] } {
  const offsets = rowOffsets(kernel, steps);
  const rowBytes = rowsKernelBytes(kernel) / offsets.length;
  const groupBytes = GROUP_VECTORS * VECTOR_BYTES;
  const groups: number[] = [];
  const singles: number[] = [];
  for (const [index, offset] of offsets.entries()) {
    let at = 0;
    for (; at + groupBytes <= rowBytes; at += groupBytes) groups.push(offset + at, index * rowBytes + at);
    for (; at < rowBytes; at += VECTOR_BYTES) singles.push(offset + at, index * rowBytes + at);
  }
  return { groups, singles };
}

/** From a 2x2x2 cell's first position to each of its eight, and an entry for "none". */
export function placeOffsets({ plane, row, step }: VolumeSteps): number[] {
  const places = Array.from(
    { length: 8 },
    (_, place) => (place >> 2) * plane + ((place >> 1) & 1) * row + (place & 1) * step,
  );
  return [...places, 0];
}
