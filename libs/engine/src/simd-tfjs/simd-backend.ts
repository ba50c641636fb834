/**
 * tfjs's CPU backend with its hot kernels replaced by those of `kernels/`. Tensors that these touch live in the shared
 * memory; others are plain arrays, as in the CPU backend, and move when they are first needed.
 */
import type { backend_util, DataType, TensorInfo } from '@tensorflow/tfjs';
import cpu from '@tensorflow/tfjs-backend-cpu';
import type { ProgramCalls, ThreadPool } from '../simd/thread-pool.ts';
import { FLOAT_BYTES } from '../simd/volumes.ts';

type BackendValues = backend_util.BackendValues;

/** Kernels may read and write a vector beyond the last value. */
const SLACK_BYTES = 16;

function isShared(values: BackendValues): values is Float32Array {
  return values instanceof Float32Array && values.buffer instanceof SharedArrayBuffer;
}

export class SimdBackend extends cpu.MathBackendCPU {
  readonly #pool: ThreadPool;
  readonly #addresses = new Map<object, number>();

  constructor(pool: ThreadPool) {
    super();
    this.#pool = pool;
  }

  /** Threads that compute. */
  get threads(): number {
    return this.#pool.threads;
  }

  /** Bytes of shared memory in use. */
  get usedBytes(): number {
    return this.#pool.memory.usedBytes;
  }

  /** Where a float32 tensor lies; moves it into shared memory when it is not there. */
  addressOf({ dataId }: TensorInfo): number {
    const known = this.#addresses.get(dataId);
    if (known !== undefined) return known;
    const entry = this.data.get(dataId);
    const values = entry.values as Float32Array;
    const view = this.#allocate(dataId, values.length);
    view.set(values);
    entry.values = view;
    return view.byteOffset;
  }

  /** A float32 tensor in shared memory; its values are undefined. */
  makeShared(shape: readonly number[]): { info: TensorInfo; address: number } {
    const size = shape.reduce((product, side) => product * side, 1);
    const address = this.#pool.memory.allocate(size * FLOAT_BYTES + SLACK_BYTES);
    const dataId = super.write(this.#pool.memory.floats(address, size), [...shape], 'float32');
    this.#addresses.set(dataId, address);
    return { info: { dataId, shape: [...shape], dtype: 'float32' }, address };
  }

  /** The values of a float32 tensor, not to be kept. */
  floatsOf({ dataId }: TensorInfo): Float32Array {
    return this.data.get(dataId).values as Float32Array;
  }

  writeIntegers(address: number, values: readonly number[]): void {
    this.#pool.memory.integers(address, values.length).set(values);
  }

  writeZeros(address: number, count: number): void {
    this.#pool.memory.floats(address, count).fill(0);
  }

  /** Copies `count` float32 values between addresses. */
  copyFloats(from: number, to: number, count: number): void {
    this.#pool.memory.floats(to, count).set(this.#pool.memory.floats(from, count));
  }

  /** A view of shared memory, not to be kept. */
  doublesAt(address: number, count: number): Float64Array {
    return this.#pool.memory.doubles(address, count);
  }

  writeFloats(address: number, values: readonly number[]): void {
    this.#pool.memory.floats(address, values.length).set(values);
  }

  run(calls: ProgramCalls, taskCount: number): void {
    this.#pool.runOnce(calls, taskCount);
  }

  /** Lends blocks of shared memory of these sizes in bytes to `work`. */
  withRoom<Result>(sizes: readonly number[], work: (...addresses: number[]) => Result): Result {
    const addresses: number[] = [];
    try {
      for (const size of sizes) addresses.push(this.#pool.memory.allocate(size + SLACK_BYTES));
      return work(...addresses);
    } finally {
      for (const address of addresses) this.#pool.memory.release(address);
    }
  }

  /** Kernels of the CPU backend may give out a view of their input (slice): its block would be freed under it. */
  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    return super.write(values !== undefined && isShared(values) ? values.slice() : values, shape, dtype);
  }

  /** A copy where the values are shared, since their block will be used again. */
  override readSync(dataId: object): BackendValues {
    const values = super.readSync(dataId);
    return isShared(values) ? values.slice() : values;
  }

  override disposeData(dataId: object, force = false): boolean {
    const disposed = super.disposeData(dataId, force);
    const address = disposed ? this.#addresses.get(dataId) : undefined;
    if (address !== undefined) {
      this.#addresses.delete(dataId);
      this.#pool.memory.release(address);
    }
    return disposed;
  }

  override dispose(): void {
    super.dispose();
    void this.#pool.dispose();
  }

  #allocate(dataId: object, size: number): Float32Array {
    const address = this.#pool.memory.allocate(size * FLOAT_BYTES + SLACK_BYTES);
    this.#addresses.set(dataId, address);
    return this.#pool.memory.floats(address, size);
  }
}
