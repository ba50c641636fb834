import { availableParallelism } from 'node:os';
import { assertBatchShape, assertFiniteVoxels } from '../assert-batch.ts';
import type { Batch, BatchResult, Engine, ModelState } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { EngineMemoryError, EngineUnavailableError } from '../errors.ts';
import { initialiseLunaModel } from '../initialise-luna-model.ts';
import {
  INITIAL_RUNNING_STATISTICS,
  updateRunningStatistics,
  type RunningStatistics,
} from '../input-normalisation.ts';
import { countParameters, lunaParameters, type ParameterSpec } from '../luna-model.ts';
import { fromModelState, toModelState } from '../model-state.ts';
import { LunaNetwork, type Logits } from './luna-network.ts';
import { SharedMemory } from './shared-memory.ts';
import { ThreadPool } from './thread-pool.ts';

/** Samples that evaluation has in memory at once. */
const EVALUATION_SAMPLES = 32;

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
  readonly #specs: readonly ParameterSpec[];
  readonly #pool: ThreadPool;
  readonly #network: LunaNetwork;
  #running: RunningStatistics = INITIAL_RUNNING_STATISTICS;

  private constructor(settings: EngineSettings, pool: ThreadPool) {
    this.#settings = settings;
    this.#pool = pool;
    this.threads = pool.threads;
    this.device = `WebAssembly SIMD, ${pool.threads} ${pool.threads === 1 ? 'thread' : 'threads'}`;
    this.#specs = lunaParameters(settings.chunkShape);
    this.parameterCount = countParameters(this.#specs);
    this.#network = new LunaNetwork(pool, settings, this.#specs);
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
  static async start(settings: EngineSettings): Promise<{ engine: SimdEngine; reason: string }> {
    const threads = settings.threads ?? availableParallelism();
    const pool = await ThreadPool.start(new SharedMemory(), threads);
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
  async trainBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    const staged = this.#network.stage(batch);
    const statistics = this.#network.statistics(staged);
    if (statistics === undefined) refuseVoxels(batch);
    const result = this.#network.learn(staged, statistics);
    this.#network.parameters.step();
    this.#running = updateRunningStatistics(this.#running, statistics, batch.voxelsHu.length);
    return result;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    const losses = new Float32Array(batch.count);
    const probabilities = new Float32Array(batch.count);
    for (let first = 0; first < batch.count; first += EVALUATION_SAMPLES) {
      const result = this.#evaluate(batch, first);
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
    const { values, velocities } = this.#network.parameters;
    const state = { parameters: values, velocities, running: this.#running };
    return Promise.resolve(toModelState(state, this.#specs));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async importState(state: ModelState): Promise<void> {
    const imported = fromModelState(state, this.#specs);
    const { values, velocities } = this.#network.parameters;
    for (const index of this.#specs.keys()) {
      values[index]!.set(imported.parameters[index]!);
      velocities[index]!.set(imported.velocities[index]!);
    }
    this.#running = imported.running;
    this.#network.parameters.pack();
  }

  dispose(): void {
    void this.#pool.dispose();
  }

  #evaluate(batch: Batch, first: number): BatchResult {
    const count = Math.min(EVALUATION_SAMPLES, batch.count - first);
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
