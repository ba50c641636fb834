import { parentPort, workerData } from 'node:worker_threads';
import {
  createEngine,
  EngineUnavailableError,
  InvalidEngineSettingsError,
  type Engine,
} from '@lunastream/engine';
import type {
  EngineAnswer,
  EngineCall,
  EngineMethod,
  EngineStarted,
  EngineThreadData,
} from './engine-messages.ts';

// The thread in which the model lives. A training step blocks its thread for seconds; here it blocks nobody.

const port = parentPort;
if (port === null) throw new Error('internal: engine-thread must be started as a worker thread');

/** What the other side calls with: parameters of the Engine's method of the same name. */
type Parameters = { readonly [Method in EngineMethod]: globalThis.Parameters<Engine[Method]> };

async function answer(engine: Engine, { id, method, parameters }: EngineCall): Promise<EngineAnswer> {
  try {
    const call = engine[method] as (...values: Parameters[EngineMethod]) => Promise<unknown>;
    return { id, value: await call.apply(engine, parameters as Parameters[EngineMethod]) };
  } catch (error) {
    return { id, error };
  }
}

/** Classes do not survive the way between threads; kinds and messages do. */
function toFault(error: unknown): EngineStarted {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InvalidEngineSettingsError) return { fault: 'bad-settings', message };
  if (error instanceof EngineUnavailableError) return { fault: 'unavailable', message };
  return { fault: 'internal', message };
}

try {
  const { engine, reason } = await createEngine(workerData as EngineThreadData);
  const { name, device, parameterCount } = engine;
  port.postMessage({ name, device, parameterCount, reason } satisfies EngineStarted);
  // Calls never overlap: the caller waits for each answer.
  port.on(
    'message',
    (call: EngineCall) => void answer(engine, call).then((reply) => port.postMessage(reply)),
  );
} catch (error) {
  port.postMessage(toFault(error));
}
