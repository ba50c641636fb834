import { KernelMemory } from './kernel-memory.ts';
import { createKernels, type Address, type Kernels } from './kernels.ts';
import type { InspectedVoxels } from './voxel-inspector.ts';

const VECTOR_BYTES = 16;
/** Of the checksum (kernels/inspect.ts). */
const STEP = 0x9e3779b2;
const EXPONENT_OF_FLOATS = 0x7f800000;
/** Bytes that lie elsewhere are copied in pieces of this size before they are looked at. */
const SCRATCH_BYTES = 2 ** 14;
const SPARE_BYTES = 2 ** 16;

/** Memory that bytes are received into and looked at where they lie. It never moves. One per thread. */
export class ArrivalMemory {
  /** Where bytes are received. */
  readonly bytes: Buffer;
  readonly #kernels: Kernels;
  readonly #memory: KernelMemory;
  readonly #scratch: Buffer;

  /** @param sizeBytes of what is received at a time. */
  constructor(sizeBytes: number) {
    this.#memory = new KernelMemory(sizeBytes + SCRATCH_BYTES + SPARE_BYTES);
    this.#kernels = createKernels(this.#memory.memory);
    this.#memory.reset(this.#kernels.memoryStart());
    const at = this.#memory.take(sizeBytes);
    const scratch = this.#memory.take(SCRATCH_BYTES);
    this.bytes = Buffer.from(this.#memory.memory.buffer, at, sizeBytes);
    this.#scratch = Buffer.from(this.#memory.memory.buffer, scratch, SCRATCH_BYTES);
  }

  /** Calls `look` with the kernels and the address of whole vectors of `bytes` from `start` to `end`, in as few pieces as may be. */
  forEach(
    bytes: Buffer,
    start: number,
    end: number,
    look: (kernels: Kernels, at: Address, vectors: number) => void,
  ): void {
    if (bytes.buffer === this.#memory.memory.buffer) {
      return look(this.#kernels, bytes.byteOffset + start, (end - start) / VECTOR_BYTES);
    }
    for (let at = start; at < end; at += SCRATCH_BYTES) {
      const length = bytes.copy(this.#scratch, 0, at, Math.min(end, at + SCRATCH_BYTES));
      look(this.#kernels, this.#scratch.byteOffset, length / VECTOR_BYTES);
    }
  }
}

/**
 * Looks at the voxels of one sample after the other, float32, in pieces that are cut anywhere: what a VoxelInspector finds of
 * the whole. Those that lie in its ArrivalMemory are not copied.
 */
export class ArrivingVoxels {
  readonly #memory: ArrivalMemory;
  /** The bytes of a vector of which only the first are there. */
  readonly #cut = new Uint8Array(VECTOR_BYTES);
  readonly #cutWords = new Uint32Array(this.#cut.buffer);
  #cutBytes = 0;
  #checksum = 0;
  #plainSum = 0;
  #isFinite = true;

  constructor(memory: ArrivalMemory) {
    this.#memory = memory;
  }

  /** Begins a sample; what came of the one before is forgotten. */
  begin(): void {
    this.#cutBytes = 0;
    this.#checksum = 0;
    this.#plainSum = 0;
    this.#isFinite = true;
  }

  /** Looks at the next bytes of the sample: `bytes` from `start` to `end`. */
  add(bytes: Buffer, start: number, end: number): void {
    const from = this.#cutBytes === 0 ? start : this.#addToCut(bytes, start, end);
    const wholeEnd = end - ((end - from) % VECTOR_BYTES);
    if (wholeEnd > from) this.#memory.forEach(bytes, from, wholeEnd, this.#look);
    if (wholeEnd < end) this.#addToCut(bytes, wholeEnd, end);
  }

  /** What was seen of the sample, now that all of it was there. */
  end(): InspectedVoxels {
    if (this.#cutBytes > 0) this.#endCut();
    return { checksum: this.#checksum >>> 0, isFinite: this.#isFinite };
  }

  readonly #look = (kernels: Kernels, at: Address, vectors: number): void => {
    const checksum = kernels.checksum(at, at + vectors * VECTOR_BYTES, false);
    if (kernels.wereFinite() === 0) this.#isFinite = false;
    this.#note(vectors, kernels.plainSum(), checksum);
  };

  /** Words of the vectors before count once more, times STEP, for each that follows. */
  #note(vectors: number, plainSum: number, checksum: number): void {
    this.#checksum = (this.#checksum + Math.imul(Math.imul(STEP, vectors), this.#plainSum) + checksum) | 0;
    this.#plainSum = (this.#plainSum + plainSum) | 0;
  }

  /** Takes bytes until the vector is whole; returns where that is, or `end`. */
  #addToCut(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#cutBytes < VECTOR_BYTES) this.#cut[this.#cutBytes++] = bytes[at++]!;
    if (this.#cutBytes === VECTOR_BYTES) this.#endCut();
    return at;
  }

  #endCut(): void {
    this.#cut.fill(0, this.#cutBytes);
    this.#cutBytes = 0;
    const words = this.#cutWords;
    let plainSum = 0;
    for (let place = 0; place < words.length; place++) {
      const word = words[place]!;
      plainSum = (plainSum + Math.imul(2 * place + 1, word)) | 0;
      if ((word & EXPONENT_OF_FLOATS) === EXPONENT_OF_FLOATS) this.#isFinite = false;
    }
    this.#note(1, plainSum, (plainSum + Math.imul(STEP, plainSum)) | 0);
  }
}
