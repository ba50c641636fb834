import type { EngineSettings } from '@lunastream/engine';
import type { EngineStartFault } from '../errors.ts';

/** Calls that cross into the engine's thread, by name of the Engine method. */
export type EngineMethod =
  | 'trainBatch'
  | 'evaluateBatch'
  | 'exportState'
  | 'importState'
  | 'exportGradients'
  | 'inspectSample'
  | 'memoryBytes';

/** A call. Typed arrays over shared memory cross without a copy. */
export interface EngineCall {
  readonly id: number;
  readonly method: EngineMethod;
  /** Those of the method, in order. */
  readonly parameters: readonly unknown[];
}

/** The answer to a call. */
export interface EngineAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

/** First message of the thread: the engine it made, or why there is none. */
export type EngineStarted =
  | {
      readonly name: string;
      readonly device: string;
      readonly deviceMemoryBytes?: number | undefined;
      readonly parameterCount: number;
      readonly reason: string;
    }
  | { readonly fault: EngineStartFault; readonly message: string };

/** What the thread is started with. */
export type EngineThreadData = EngineSettings;
