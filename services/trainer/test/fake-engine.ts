import type { Batch, BatchResult, ModelState, ModelTensor } from '@lunastream/engine';
import type { RunEngine } from '../src/runs/run-manager.ts';

/** One batch as the engine got it. */
export interface SeenBatch {
  readonly kind: 'train' | 'evaluate';
  /** First voxel of every sample. */
  readonly firstVoxelsHu: readonly number[];
  readonly labels: readonly number[];
}

export interface FakeEngineOptions {
  /** P(nodule) of a sample by its first voxel and the model's weight. Default: a logistic curve. */
  readonly predict?: (firstVoxelHu: number, weight: number) => number;
  /** Called before every batch; may wait, or throw. */
  readonly onBatch?: (batch: SeenBatch, index: number) => void | Promise<void>;
}

/**
 * A model of one weight that learns with momentum: small enough to follow by hand, and like the real ones in that its
 * results depend on every batch before and its whole state can be saved and put back.
 */
export class FakeEngine implements RunEngine {
  readonly name = 'fake';
  readonly device = 'a test';
  readonly deviceMemoryBytes = 2 ** 31;
  readonly parameterCount = 1;
  readonly reason = 'asked for by a test';
  readonly batches: SeenBatch[] = [];
  /** Of every training batch. */
  readonly learningRates: (number | undefined)[] = [];
  readonly #options: FakeEngineOptions;
  #weight = 0;
  #velocity = 0;
  #gradient = 0;
  #isDisposed = false;
  #endCalls: ((error: Error) => void)[] = [];
  /** Resolves when the latest batch is done and its answer has arrived. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(options: FakeEngineOptions = {}) {
    this.#options = options;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  trainBatch(batch: Batch, learningRate?: number): Promise<BatchResult> {
    return this.#inOrder(() => this.#train(batch, learningRate));
  }

  evaluateBatch(batch: Batch): Promise<BatchResult> {
    return this.#inOrder(async () => (await this.#forward('evaluate', batch)).result);
  }

  async #train(batch: Batch, learningRate?: number): Promise<BatchResult> {
    this.learningRates.push(learningRate);
    const { result, voxelsHu } = await this.#forward('train', batch);
    let gradient = 0;
    result.probabilities.forEach((probability, index) => {
      gradient += ((probability - batch.labels[index]!) * voxelsHu[index]!) / 100 / batch.count;
    });
    this.#gradient = gradient;
    this.#velocity = Math.fround(0.9 * this.#velocity + gradient);
    this.#weight = Math.fround(this.#weight - 0.05 * this.#velocity);
    return result;
  }

  exportState(): Promise<ModelState> {
    return Promise.resolve([
      { name: 'layer.weight', shape: [1], values: Float32Array.of(this.#weight) },
      { name: 'optimizer.momentum.layer.weight', shape: [1], values: Float32Array.of(this.#velocity) },
    ]);
  }

  importState(state: ModelState): Promise<void> {
    const valueOf = (name: string) => state.find((tensor) => tensor.name === name)!.values[0]!;
    this.#weight = valueOf('layer.weight');
    this.#velocity = valueOf('optimizer.momentum.layer.weight');
    return Promise.resolve();
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    return Promise.resolve([{ name: 'layer.weight', shape: [1], values: Float32Array.of(this.#gradient) }]);
  }

  inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    return Promise.resolve([{ name: 'input', shape: [1, 1, 1, 1], values: voxelsHu.slice(0, 1) }]);
  }

  memoryBytes(): Promise<number> {
    return Promise.resolve(12);
  }

  /** As the engine's thread: a call under way never comes back, it fails. */
  dispose(): void {
    this.#isDisposed = true;
    for (const end of this.#endCalls) end(new Error('the engine thread ended'));
  }

  /** As engines do, one batch after the other, also where the next one comes before the answer. */
  async #inOrder<Result>(compute: () => Promise<Result>): Promise<Result> {
    const result = this.#free.then(compute);
    this.#free = result.then(
      () => new Promise((resolve) => setImmediate(resolve)),
      () => undefined,
    );
    return result;
  }

  async #forward(kind: SeenBatch['kind'], { voxelsHu, labels, count }: Batch) {
    const sampleLength = voxelsHu.length / count;
    const firstVoxelsHu = Array.from({ length: count }, (_, index) => voxelsHu[index * sampleLength]!);
    const seen: SeenBatch = { kind, firstVoxelsHu, labels: [...labels] };
    this.batches.push(seen);
    const ended = new Promise<never>((_, reject) => this.#endCalls.push(reject));
    await Promise.race([this.#options.onBatch?.(seen, this.batches.length - 1), ended]);
    const predict = this.#options.predict ?? ((hu, weight) => 1 / (1 + Math.exp((-weight * hu) / 100)));
    const probabilities = Float32Array.from(firstVoxelsHu, (hu) => predict(hu, this.#weight));
    const losses = probabilities.map(
      (probability, index) => -Math.log(labels[index] === 1 ? probability : 1 - probability),
    );
    return { result: { probabilities, losses }, voxelsHu: firstVoxelsHu };
  }
}
