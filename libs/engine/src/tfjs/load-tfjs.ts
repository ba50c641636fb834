/** Starts TensorFlow.js quietly, on the backend that is asked for or the fastest that works. */
import tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { EngineUnavailableError } from '../errors.ts';

export type TfjsBackend = 'wasm' | 'cpu';

export interface StartedBackend {
  readonly backend: TfjsBackend;
  /** For people: what computes. */
  readonly device: string;
  /** For people: why this backend. */
  readonly reason: string;
}

/**
 * Emscripten's start-up code adds process-wide listeners that rethrow every uncaught exception and rejection. They
 * would bypass the service's own last-resort handlers, so whatever was added is taken off again.
 */
async function withoutNewProcessListeners<Result>(start: () => Promise<Result>): Promise<Result> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = new Map(events.map((event) => [event, new Set(process.rawListeners(event))]));
  try {
    return await start();
  } finally {
    for (const event of events) {
      const added = process.rawListeners(event).filter((listener) => !before.get(event)!.has(listener));
      for (const listener of added) process.removeListener(event, listener as () => void);
    }
  }
}

/** Undefined where it does not start; tfjs keeps the cause to itself. */
async function startWasm(): Promise<StartedBackend | undefined> {
  if (!(await withoutNewProcessListeners(() => tf.setBackend('wasm')))) return undefined;
  const hasSimd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return {
    backend: 'wasm',
    device: `WebAssembly${hasSimd ? ' SIMD' : ''}, 1 thread`,
    reason: 'tfjs on WebAssembly runs everywhere, many times faster than on plain JavaScript',
  };
}

async function startCpu(reason: string): Promise<StartedBackend> {
  await tf.setBackend('cpu');
  return { backend: 'cpu', device: 'JavaScript, 1 thread', reason };
}

/**
 * Starts `wanted`, or without it wasm and, where that fails, cpu.
 * @throws EngineUnavailableError when the backend that was asked for by name does not start.
 */
export async function startBackend(wanted?: TfjsBackend): Promise<StartedBackend> {
  // Production mode is the documented switch that keeps tfjs from printing its advice to install tfjs-node.
  tf.enableProdMode();
  if (wanted === 'cpu') return startCpu('the cpu backend was asked for');
  const started = await startWasm();
  if (started !== undefined) return started;
  if (wanted === 'wasm') {
    throw new EngineUnavailableError('tfjs', 'its WebAssembly backend did not start on this machine');
  }
  return startCpu('tfjs on plain JavaScript, because its WebAssembly backend did not start');
}

/**
 * Makes a started backend the current one. The current backend is global to the process, so an engine calls this
 * before each piece of synchronous work; for a started backend the switch itself is synchronous.
 */
export function useBackend(backend: TfjsBackend): void {
  if (tf.getBackend() !== backend) void tf.setBackend(backend);
}
