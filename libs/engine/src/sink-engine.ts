import type { CreatedEngine } from './choose-engine.ts';
import type { Batch, BatchResult, Engine, ModelState, ModelTensor } from './engine.ts';
import { ModelStateMismatchError } from './errors.ts';

/**
 * Takes batches and trains nothing: what is measured with it is everything before an engine. It has no model, so every
 * sample is as likely a nodule as not.
 */
export class SinkEngine implements Engine {
  readonly name = 'sink';
  readonly device = 'none';
  readonly parameterCount = 0;

  static start(): Promise<CreatedEngine> {
    return Promise.resolve({ engine: new SinkEngine(), reason: 'asked for: it trains nothing' });
  }

  trainBatch(batch: Batch): Promise<BatchResult> {
    return Promise.resolve(undecided(batch));
  }

  evaluateBatch(batch: Batch): Promise<BatchResult> {
    return Promise.resolve(undecided(batch));
  }

  exportState(): Promise<ModelState> {
    return Promise.resolve([]);
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    return Promise.resolve([]);
  }

  inspectSample(): Promise<readonly ModelTensor[]> {
    return Promise.resolve([]);
  }

  importState(state: ModelState): Promise<void> {
    const [first] = state;
    if (first === undefined) return Promise.resolve();
    return Promise.reject(new ModelStateMismatchError(first.name, 'the sink must have no tensors', 'one'));
  }

  memoryBytes(): Promise<number> {
    return Promise.resolve(0);
  }

  dispose(): void {
    // It holds nothing.
  }
}

function undecided({ count }: Batch): BatchResult {
  return {
    probabilities: new Float32Array(count).fill(0.5),
    losses: new Float32Array(count).fill(Math.LN2),
  };
}
