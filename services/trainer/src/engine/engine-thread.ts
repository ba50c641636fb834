import { parentPort, workerData } from 'node:worker_threads';
import {
  createEngine,
  EngineUnavailableError,
  InvalidEngineSettingsError,
  type Engine,
} from '@lunastream/engine';
import type { EngineAnswer, EngineCall, EngineStarted, EngineThreadData } from './engine-messages.ts';
import { makeThreadNicer } from './thread-priority.ts';

// The thread in which the model lives. A training step blocks its thread for seconds; here it blocks nobody.

const port = parentPort;
if (port === null) throw new Error('internal: engine-thread must be started as a worker thread');

/**
 * Of a core that both want, threads of the trainer that answer, receive and report get three times the share of those that
 * compute: they have little to do, and others wait for it.
 */
const ENGINE_NICENESS = 5;

/** Every method that the other side may call, by name, with the parameters that came. */
function callMethod(engine: Engine, { method, parameters }: EngineCall): Promise<unknown> {
  const call = engine[method].bind(engine) as (...values: readonly unknown[]) => Promise<unknown>;
  return call(...parameters);
}

async function answer(engine: Engine, call: EngineCall): Promise<EngineAnswer> {
  const { id } = call;
  try {
    return { id, value: await callMethod(engine, call) };
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
  // Before the engine starts threads of its own: they inherit it.
  makeThreadNicer(ENGINE_NICENESS);
  const { engine, reason } = await createEngine(workerData as EngineThreadData);
  const { name, device, deviceMemoryBytes, parameterCount } = engine;
  port.postMessage({ name, device, deviceMemoryBytes, parameterCount, reason } satisfies EngineStarted);
  // Calls never overlap: the caller waits for each answer.
  port.on(
    'message',
    (call: EngineCall) => void answer(engine, call).then((reply) => port.postMessage(reply)),
  );
} catch (error) {
  port.postMessage(toFault(error));
}
