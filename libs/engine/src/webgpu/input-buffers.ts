import tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/**
 * Where batches go on the device: two sets of buffers in turn, so that one can be written while kernels that are on the queue still
 * read the other. Buffers stay and are used again by later batches.
 */
export class InputBuffers {
  readonly #device: GPUDevice;
  readonly #sets: readonly [GPUBuffer[], GPUBuffer[]] = [[], []];
  /** Dawn takes no shared memory, in which batches lie: they pass here. It has copied what it was given when it returns. */
  #passage = new Float32Array(0);
  #turn: 0 | 1 = 0;
  #place = 0;

  constructor(backend: WebGPUBackend) {
    this.#device = backend.device;
  }

  /** What is sent up next belongs to another batch than what was. */
  beginBatch(): void {
    this.#turn = this.#turn === 0 ? 1 : 0;
    this.#place = 0;
  }

  /**
   * A tensor of `values` on the device, in one dimension; it does not own its memory. What reads it must be submitted before the
   * batch after the next one begins.
   */
  send(values: ArrayLike<number>): Tensor {
    const { length } = values;
    if (this.#passage.length < length) this.#passage = new Float32Array(length);
    this.#passage.set(values);
    const buffer = this.#bufferOf(length * Float32Array.BYTES_PER_ELEMENT);
    this.#device.queue.writeBuffer(buffer, 0, this.#passage, 0, length);
    return tf.tensor({ buffer, zeroCopy: true }, [length], 'float32');
  }

  memoryBytes(): number {
    return this.#sets.flat().reduce((sum, { size }) => sum + size, 0);
  }

  dispose(): void {
    for (const set of this.#sets) for (const buffer of set.splice(0)) buffer.destroy();
  }

  /** The next one of the batch, made anew where it is missing or too small. */
  #bufferOf(size: number): GPUBuffer {
    const set = this.#sets[this.#turn];
    const place = this.#place++;
    const known = set[place];
    if (known !== undefined && known.size >= size) return known;
    known?.destroy();
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ size, usage });
    set[place] = buffer;
    return buffer;
  }
}
