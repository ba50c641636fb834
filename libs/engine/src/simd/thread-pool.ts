/**
 * Threads that run kernels over one shared memory. The calling thread works too, and blocks until a job is done: a
 * pool belongs into a thread that has nothing else to do. Helpers wait in WebAssembly (`kernels/pool.ts`), without a
 * timer, and keep no process alive.
 */
import { Worker } from 'node:worker_threads';
import { EngineUnavailableError } from '../errors.ts';
import { encodeProgram, type KernelCall } from './kernel-calls.ts';
import { instantiateKernels, kernelModule, type KernelExports } from './kernel-module.ts';
import type { SharedMemory } from './shared-memory.ts';

/** 32-bit fields of the control block: kernels/pool.ts. */
const FIELD = { generation: 0, taskCount: 2, running: 3, closed: 4, failed: 5, programs: 6 } as const;

/**
 * What a helper runs. Source text, because a worker loads no TypeScript; all that matters happens in `serve`.
 * A trap is reported to the caller, who waits for this thread.
 */
const HELPER = `
const { module, memory, control, thread } = require('node:worker_threads').workerData;
const fields = new Int32Array(memory.buffer, control, ${FIELD.programs});
try {
  new WebAssembly.Instance(module, { env: { memory } }).exports.serve(control, thread, 0);
} catch (error) {
  Atomics.store(fields, ${FIELD.failed}, 1);
  Atomics.sub(fields, ${FIELD.running}, 1);
  Atomics.notify(fields, ${FIELD.running});
}`;

async function startHelper(data: object): Promise<Worker> {
  const worker = new Worker(HELPER, { eval: true, workerData: data, execArgv: [], name: 'simd' });
  await new Promise<void>((resolve, reject) => {
    worker.once('online', resolve);
    worker.once('error', reject);
  });
  worker.unref();
  return worker;
}

/** A program per thread, in the shared memory. */
export type LoadedProgram = readonly number[];

/** One program for all threads, or one made for each. */
export type ProgramCalls = readonly KernelCall[] | ((thread: number) => readonly KernelCall[]);

export class ThreadPool {
  readonly memory: SharedMemory;
  readonly threads: number;
  readonly #control: number;
  readonly #kernels: KernelExports;
  readonly #helpers: readonly Worker[];
  #closed = false;

  private constructor(memory: SharedMemory, control: number, helpers: readonly Worker[]) {
    this.memory = memory;
    this.threads = helpers.length + 1;
    this.#control = control;
    this.#kernels = instantiateKernels(memory.memory);
    this.#helpers = helpers;
  }

  /**
   * A pool of `threads`, the caller's own included.
   * @throws EngineUnavailableError where the kernels or a thread do not start.
   */
  static async start(memory: SharedMemory, threads: number): Promise<ThreadPool> {
    const module = kernelModule();
    const control = memory.allocateZeros(4 * (FIELD.programs + threads));
    const data = { module, memory: memory.memory, control };
    const starts = Array.from({ length: threads - 1 }, (_, index) =>
      startHelper({ ...data, thread: index + 1 }),
    );
    const started = await Promise.allSettled(starts);
    const helpers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (helpers.length < starts.length) {
      await Promise.all(helpers.map((helper) => helper.terminate()));
      const cause: unknown = started.find((each) => each.status === 'rejected')?.reason;
      throw new EngineUnavailableError('simd', `${threads} threads must start`, { cause });
    }
    return new ThreadPool(memory, control, helpers);
  }

  /** Puts a program into the memory. */
  load(calls: ProgramCalls): LoadedProgram {
    if (typeof calls === 'function') {
      return Array.from({ length: this.threads }, (_, thread) =>
        this.memory.allocateCopy(encodeProgram(calls(thread))),
      );
    }
    const address = this.memory.allocateCopy(encodeProgram(calls));
    return Array<number>(this.threads).fill(address);
  }

  /** Frees what `load` took. */
  unload(program: LoadedProgram): void {
    for (const address of new Set(program)) this.memory.release(address);
  }

  /** Runs the program for tasks 0 to `taskCount` - 1, each on one thread, and returns when all are done. */
  run(program: LoadedProgram, taskCount: number): void {
    if (this.#closed) throw new Error('internal: the thread pool is closed');
    const fields = this.#fields();
    fields[FIELD.taskCount] = taskCount;
    fields.set(program, FIELD.programs);
    try {
      this.#kernels.runJob(this.#control, taskCount > 1 ? this.threads - 1 : 0);
    } catch (cause) {
      void this.dispose();
      throw new Error('internal: a kernel failed', { cause });
    }
    if (Atomics.load(fields, FIELD.failed) === 0) return;
    void this.dispose();
    throw new Error('internal: a kernel failed on another thread');
  }

  /** Runs a program once and forgets it. */
  runOnce(calls: ProgramCalls, taskCount: number): void {
    const program = this.load(calls);
    try {
      this.run(program, taskCount);
    } finally {
      this.unload(program);
    }
  }

  /** Ends the helpers, whatever they are doing. Resolves when they have. */
  async dispose(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      const fields = this.#fields();
      Atomics.store(fields, FIELD.closed, 1);
      Atomics.add(fields, FIELD.generation, 1);
      Atomics.notify(fields, FIELD.generation);
    }
    await Promise.all(this.#helpers.map((helper) => helper.terminate()));
  }

  #fields(): Int32Array {
    return this.memory.integers(this.#control, FIELD.programs + this.threads);
  }
}
