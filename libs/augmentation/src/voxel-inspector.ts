import { KernelMemory } from './kernel-memory.ts';
import { createKernels, type Address, type Kernels } from './kernels.ts';
import type { SampleVoxelType } from './augmenter.ts';

const VECTOR_BYTES = 16;
const DEFAULT_MAX_MEMORY_BYTES = 256 * 2 ** 20;

/** What was seen of the bytes of a sample. */
export interface InspectedVoxels {
  /**
   * The sum, modulo 2^32, of the little-endian 32-bit words of the bytes, filled up with zeros to a multiple of 16 bytes. Of n
   * groups of four words, word k (0..3) of group j counts (2k + 1) * (1 + 0x9e3779b2 * (n - j)) times; 0..2^32-1.
   */
  readonly checksum: number;
  /** Whether no voxel is infinite or NaN. */
  readonly isFinite: boolean;
}

/** Looks at the voxels of samples in memory of its own, which grows to the largest and is used again. One per thread. */
export class VoxelInspector {
  readonly #memory = new KernelMemory(DEFAULT_MAX_MEMORY_BYTES);
  readonly #kernels: Kernels;
  readonly #start: Address;

  constructor() {
    this.#kernels = createKernels(this.#memory.memory);
    this.#start = this.#kernels.memoryStart();
  }

  /**
   * Inspects the bytes of voxels, wherever they begin.
   * @throws ChunkTooLargeError beyond 256 MiB.
   */
  inspect(bytes: Uint8Array, voxelType: SampleVoxelType): InspectedVoxels {
    this.#memory.reset(this.#start);
    const sizeBytes = Math.ceil(bytes.length / VECTOR_BYTES) * VECTOR_BYTES;
    const at = this.#memory.take(sizeBytes);
    const copy = Buffer.from(this.#memory.memory.buffer, at, sizeBytes);
    // Out of shared memory `set` goes word by word; a Buffer is filled by one memcpy, in half the time.
    if (bytes.length > 0) copy.fill(bytes, 0, bytes.length);
    copy.fill(0, bytes.length);
    const checksum = this.#kernels.checksum(at, at + sizeBytes, voxelType === 'float16') >>> 0;
    return { checksum, isFinite: this.#kernels.wereFinite() !== 0 };
  }
}
