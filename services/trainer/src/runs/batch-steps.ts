import type { BatchResult } from '@lunastream/engine';
import type { LoadedBatch } from '../supply/batch-loader.ts';

/** In the engine: the batch that it computes, and the next one, ready in its thread or on its way up to its device meanwhile. */
const MOST_UNDER_WAY = 2;

/** A batch that goes to the engine. */
export interface StartedBatch extends LoadedBatch {
  /** How long the engine had nothing to do before the batch was whole. */
  readonly stallMs: number;
}

/** A batch and what the engine made of it. */
export interface BatchStep extends StartedBatch {
  readonly result: BatchResult;
}

export interface BatchStepsOptions {
  readonly batches: AsyncIterator<LoadedBatch, void>;
  /** Hands a batch to the engine. */
  readonly start: (batch: StartedBatch) => Promise<BatchResult>;
  /** Whether the next batch waits until the consumer is done with the step of this one, because it looks at the engine. */
  readonly isLookedAtAfter: (batch: LoadedBatch) => boolean;
  /** Milliseconds of the clock that batches are ready by. */
  readonly nowMs: () => number;
}

interface StepUnderWay {
  readonly batch: StartedBatch;
  readonly result: Promise<BatchResult>;
}

/** A promise that nobody may await any more, once something else has failed. */
function quiet<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

const settlesBefore = (first: Promise<unknown>, second: Promise<unknown>): Promise<boolean> =>
  Promise.race([first.then(() => true), second.then(() => false)]);

/**
 * Takes the batches through the engine, in order, and keeps it busy: a batch is handed over while the one before computes. A
 * step is valid, voxels included, until the next one is asked for.
 */
export async function* batchSteps(options: BatchStepsOptions): AsyncGenerator<BatchStep, void, undefined> {
  const { batches, start, isLookedAtAfter, nowMs } = options;
  const underWay: StepUnderWay[] = [];
  let next = quiet(batches.next());
  let isLast = false;
  let idleSinceMs = nowMs();
  for (;;) {
    const [oldest] = underWay;
    const latest = underWay.at(-1);
    const mustWait =
      isLast || underWay.length === MOST_UNDER_WAY || (latest !== undefined && isLookedAtAfter(latest.batch));
    if (oldest !== undefined && (mustWait || (await settlesBefore(oldest.result, next)))) {
      const result = await oldest.result;
      underWay.shift();
      yield { ...oldest.batch, result };
      oldest.batch.release();
      if (underWay.length === 0) idleSinceMs = nowMs();
    } else if (isLast) {
      return;
    } else {
      const { value, done } = await next;
      if (done === true) {
        isLast = true;
        continue;
      }
      next = quiet(batches.next());
      const stallMs = underWay.length === 0 ? Math.max(0, value.readyMs - idleSinceMs) : 0;
      const batch = { ...value, stallMs };
      underWay.push({ batch, result: quiet(start(batch)) });
    }
  }
}
