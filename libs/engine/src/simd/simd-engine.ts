import { availableParallelism } from 'node:os';
import { assertBatchShape, assertFiniteVoxels } from '../assert-batch.ts';
import type { Batch, BatchResult, Engine, ModelState, ModelTensor } from '../engine.ts';
import { trainingRules, type EngineSettings, type TrainingRules } from '../engine-settings.ts';
import { EngineMemoryError, EngineUnavailableError } from '../errors.ts';
import { initialiseLunaModel } from '../initialise-luna-model.ts';
import {
  FIXED_STATISTICS,
  INITIAL_RUNNING_STATISTICS,
  updateRunningStatistics,
  type RunningStatistics,
} from '../input-normalisation.ts';
import { countParameters, lunaParameters, type ParameterSpec } from '../luna-model.ts';
import { fromModelState, toModelState } from '../model-state.ts';
import { clippingScale } from '../optimizers.ts';
import { LunaNetwork, type Logits } from './luna-network.ts';
import { SharedMemory } from './shared-memory.ts';
import { ThreadPool } from './thread-pool.ts';

/** Voxels that evaluation copies into shared memory at once: batches of any size pass in this room. */
const EVALUATION_BYTES = 2 ** 25;

/** For a batch in which the kernels found a voxel that is not finite. */
function refuseVoxels(batch: Batch): never {
  assertFiniteVoxels(batch);
  throw new Error('internal: the kernels refused a batch of finite voxels');
}

/**
 * LunaModel on WebAssembly SIMD kernels and a pool of threads, all of whose memory is one shared WebAssembly memory.
 * Results do not depend on the number of threads, to the bit. Blocks its thread while it works.
 */
export class SimdEngine implements Engine {
  readonly name = 'simd';
  readonly device: string;
  readonly threads: number;
  readonly parameterCount: number;
  readonly #settings: EngineSettings;
  readonly #rules: TrainingRules;
  readonly #specs: readonly ParameterSpec[];
  readonly #pool: ThreadPool;
  readonly #network: LunaNetwork;
  #running: RunningStatistics;
  /** Of the optimizer, for Adam. */
  #steps = 0;
  #hasGradients = false;

  private constructor(settings: EngineSettings, pool: ThreadPool) {
    this.#settings = settings;
    this.#rules = trainingRules(settings);
    this.#running = this.#measuresBatches()
      ? INITIAL_RUNNING_STATISTICS
      : { ...FIXED_STATISTICS, batchesTracked: 0 };
    this.#pool = pool;
    this.threads = pool.threads;
    this.device = `WebAssembly SIMD, ${pool.threads} ${pool.threads === 1 ? 'thread' : 'threads'}`;
    this.#specs = lunaParameters(settings.chunkShape);
    this.parameterCount = countParameters(this.#specs);
    this.#network = new LunaNetwork(pool, { ...settings, ...this.#rules }, this.#specs);
    const { values } = this.#network.parameters;
    for (const [index, initial] of initialiseLunaModel(this.#specs, settings.runSeed).entries()) {
      values[index]!.set(initial);
    }
    this.#network.parameters.pack();
  }

  /**
   * A new model from checked settings, and why it computes as it does.
   * @throws EngineUnavailableError where WebAssembly SIMD or threads are missing, or the model does not fit into memory.
   */
  static async start(
    settings: EngineSettings,
    memory = new SharedMemory(),
  ): Promise<{ engine: SimdEngine; reason: string }> {
    const threads = settings.threads ?? availableParallelism();
    const pool = await ThreadPool.start(memory, threads);
    try {
      const engine = new SimdEngine(settings, pool);
      return { engine, reason: `WebAssembly SIMD kernels on ${threads} of ${availableParallelism()} cores` };
    } catch (error) {
      await pool.dispose();
      if (!(error instanceof EngineMemoryError)) throw error;
      const { depth, height, width } = settings.chunkShape;
      const rule = `the model for chunks of ${depth} x ${height} x ${width} must fit into 4 GiB of memory`;
      throw new EngineUnavailableError('simd', rule, { cause: error });
    }
  }

  // The work is synchronous; `async` turns faults into rejections.
  // eslint-disable-next-line @typescript-eslint/require-await
  async trainBatch(batch: Batch, learningRate = this.#settings.learningRate): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    const staged = this.#network.stage(batch);
    const measured = this.#network.statistics(staged);
    if (measured === undefined) refuseVoxels(batch);
    const result = this.#network.learn(staged, this.#measuresBatches() ? measured : this.#running);
    const { parameters } = this.#network;
    const gradientScale = clippingScale(parameters.gradients, this.#rules.largestGradientNorm);
    parameters.step(++this.#steps, { learningRate, gradientScale });
    this.#hasGradients = true;
    if (this.#measuresBatches()) {
      this.#running = updateRunningStatistics(this.#running, measured, batch.voxelsHu.length);
    }
    return result;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    const losses = new Float32Array(batch.count);
    const probabilities = new Float32Array(batch.count);
    const sampleBytes = batch.voxelsHu.byteLength / batch.count;
    const atOnce = Math.max(1, Math.floor(EVALUATION_BYTES / sampleBytes));
    for (let first = 0; first < batch.count; first += atOnce) {
      const result = this.#evaluate(batch, first, Math.min(atOnce, batch.count - first));
      losses.set(result.losses, first);
      probabilities.set(result.probabilities, first);
    }
    return { losses, probabilities };
  }

  /** Evaluation's logits [not nodule, nodule] of one chunk in HU: what the reference values are given as. */
  inferLogits(voxelsHu: Float32Array): Logits {
    this.#network.evaluate(
      this.#network.stage({ voxelsHu, labels: Float32Array.of(0), count: 1 }),
      this.#running,
    );
    return this.#network.firstLogits();
  }

  exportState(): Promise<ModelState> {
    const { values, slots } = this.#network.parameters;
    const state = { parameters: values, slots, steps: this.#steps, running: this.#running };
    return Promise.resolve(toModelState(state, this.#specs, this.#rules.optimizer.optimizer));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async importState(state: ModelState): Promise<void> {
    const imported = fromModelState(state, this.#specs, this.#rules.optimizer.optimizer);
    const { values, slots } = this.#network.parameters;
    for (const index of this.#specs.keys()) {
      values[index]!.set(imported.parameters[index]!);
      for (const [slot, arrays] of slots.entries()) arrays[index]!.set(imported.slots[slot]![index]!);
    }
    this.#steps = imported.steps;
    this.#running = imported.running;
    this.#network.parameters.pack();
    this.#hasGradients = false;
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    if (!this.#hasGradients) return Promise.resolve([]);
    const { gradients, firstTrained } = this.#network.parameters;
    const told = this.#specs.map(({ name, shape }, index) => ({
      name,
      shape,
      values: gradients[index]!.slice(),
    }));
    return Promise.resolve(told.slice(firstTrained));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    const batch = { voxelsHu, labels: Float32Array.of(0), count: 1 };
    assertBatchShape(batch, this.#settings.chunkShape);
    const staged = this.#network.stage(batch);
    if (!this.#network.isFinite(staged)) refuseVoxels(batch);
    return this.#network.inspect(staged, this.#running);
  }

  memoryBytes(): Promise<number> {
    return Promise.resolve(this.#pool.memory.usedBytes);
  }

  dispose(): void {
    void this.#pool.dispose();
  }

  #measuresBatches(): boolean {
    return this.#rules.inputNormalisation === 'batch';
  }

  #evaluate(batch: Batch, first: number, count: number): BatchResult {
    const size = batch.voxelsHu.length / batch.count;
    const part = {
      voxelsHu: batch.voxelsHu.subarray(first * size, (first + count) * size),
      labels: batch.labels.subarray(first, first + count),
      count,
    };
    const staged = this.#network.stage(part);
    if (!this.#network.isFinite(staged)) refuseVoxels(batch);
    return this.#network.evaluate(staged, this.#running);
  }
}
