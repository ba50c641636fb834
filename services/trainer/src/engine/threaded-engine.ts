import { Worker } from 'node:worker_threads';
import type { Batch, BatchResult, Engine, EngineSettings, ModelState, ModelTensor } from '@lunastream/engine';
import type { EngineAnswer, EngineCall, EngineMethod, EngineStarted } from './engine-messages.ts';
import { EngineStartError, EngineThreadError } from '../errors.ts';

interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An engine in a thread of its own, so that the thread of RPC, health checks and streams is never blocked. Batches
 * over shared memory reach it without a copy. `dispose` ends the thread at once, whatever it is doing.
 */
export class ThreadedEngine implements Engine {
  readonly name: string;
  readonly device: string;
  readonly deviceMemoryBytes: number | undefined;
  readonly parameterCount: number;
  /** Why this engine was chosen, in one line. */
  readonly reason: string;
  readonly #thread: Worker;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 0;
  #end: EngineThreadError | undefined;

  private constructor(thread: Worker, started: Exclude<EngineStarted, { fault: unknown }>) {
    this.#thread = thread;
    this.name = started.name;
    this.device = started.device;
    this.deviceMemoryBytes = started.deviceMemoryBytes;
    this.parameterCount = started.parameterCount;
    this.reason = started.reason;
    thread.on('message', (reply: EngineAnswer) => this.#settle(reply));
    thread.on('error', (cause) => this.#fail(new EngineThreadError('the engine thread crashed', { cause })));
    thread.on('exit', () => this.#fail(new EngineThreadError('the engine thread ended')));
  }

  /** Starts the thread and waits for its engine. Rejects with an EngineStartError. */
  static async start(
    settings: EngineSettings,
    startThread: (settings: EngineSettings) => Worker = startEngineThread,
  ): Promise<ThreadedEngine> {
    const thread = startThread(settings);
    const started = await firstMessage(thread);
    if ('fault' in started) {
      await thread.terminate();
      throw new EngineStartError(started.fault, started.message);
    }
    return new ThreadedEngine(thread, started);
  }

  trainBatch(...parameters: Parameters<Engine['trainBatch']>): Promise<BatchResult> {
    return this.#call('trainBatch', parameters);
  }

  evaluateBatch(batch: Batch): Promise<BatchResult> {
    return this.#call('evaluateBatch', [batch]);
  }

  exportState(): Promise<ModelState> {
    return this.#call('exportState', []);
  }

  importState(state: ModelState): Promise<void> {
    return this.#call('importState', [state]);
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    return this.#call('exportGradients', []);
  }

  inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    return this.#call('inspectSample', [voxelsHu]);
  }

  memoryBytes(): Promise<number> {
    return this.#call('memoryBytes', []);
  }

  dispose(): void {
    void this.#thread.terminate();
  }

  #call<Method extends EngineMethod>(
    method: Method,
    parameters: Parameters<Engine[Method]>,
  ): ReturnType<Engine[Method]> {
    const answer = new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#thread.postMessage({ id, method, parameters } satisfies EngineCall);
    });
    return answer as ReturnType<Engine[Method]>;
  }

  #settle({ id, value, error }: EngineAnswer): void {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(error);
  }

  #fail(error: EngineThreadError): void {
    this.#end ??= error;
    for (const call of this.#pending.values()) call.reject(this.#end);
    this.#pending.clear();
  }
}

/** The compiled thread beside this compiled file: Node runs no TypeScript in threads. */
function startEngineThread(settings: EngineSettings): Worker {
  return new Worker(new URL('./engine-thread.js', import.meta.url), { workerData: settings });
}

/** What the thread says of its start, or how it ended before it could. Leaves no listener behind. */
function firstMessage(thread: Worker): Promise<EngineStarted> {
  return new Promise((resolve) => {
    const settle = (started: EngineStarted) => {
      thread.off('message', settle).off('error', onError).off('exit', onExit);
      resolve(started);
    };
    const onError = ({ message }: Error) => settle({ fault: 'internal', message });
    const onExit = (code: number) =>
      settle({ fault: 'internal', message: `the engine thread ended with code ${code}` });
    thread.on('message', settle).on('error', onError).on('exit', onExit);
  });
}
