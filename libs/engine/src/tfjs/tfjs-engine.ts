import { crossEntropy } from '../cross-entropy.ts';
import type { Batch, BatchResult, Engine, ModelState } from '../engine.ts';
import type { EngineSettings } from '../engine-settings.ts';
import { initialiseLunaModel } from '../initialise-luna-model.ts';
import {
  batchStatistics,
  normalisationGradients,
  normaliseVoxels,
  updateRunningStatistics,
  type InputStatistics,
} from '../input-normalisation.ts';
import { countParameters, lunaParameters, type ParameterSpec } from '../luna-model.ts';
import { fromModelState, startTrainingState, toModelState, type TrainingState } from '../model-state.ts';
import { stepMomentumSgd } from '../momentum-sgd.ts';
import { assertBatchShape, assertFiniteVoxels } from '../assert-batch.ts';
import { startBackend, useBackend, type TfjsBackend } from './load-tfjs.ts';
import { LunaNetwork, type Logits } from './luna-network.ts';

/** The normalisation's scale and shift are the first two parameters. */
const NORMALISATION_PARAMETERS = 2;

function scaleAndShift(values: Float32Array, scale: number, shift: number): Float32Array {
  return values.map((value) => scale * value + shift);
}

/**
 * LunaModel on TensorFlow.js: runs wherever Node.js does. tfjs does the convolutions; parameters, velocities and the
 * normalisation live here in typed arrays, and the device gets a copy of the weights after each step.
 */
export class TfjsEngine implements Engine {
  readonly name = 'tfjs';
  readonly device: string;
  readonly parameterCount: number;
  readonly #settings: EngineSettings;
  readonly #backend: TfjsBackend;
  readonly #specs: readonly ParameterSpec[];
  readonly #network: LunaNetwork;
  #state: TrainingState;

  private constructor(settings: EngineSettings, backend: TfjsBackend, device: string) {
    this.#settings = settings;
    this.#backend = backend;
    this.device = device;
    this.#specs = lunaParameters(settings.chunkShape);
    this.parameterCount = countParameters(this.#specs);
    this.#network = new LunaNetwork(settings.chunkShape, this.#specs);
    this.#state = startTrainingState(initialiseLunaModel(this.#specs, settings.runSeed));
    this.#sendWeights();
  }

  /**
   * A new model from checked settings, and why it computes where it does.
   * @throws EngineUnavailableError when the backend that was asked for does not start.
   */
  static async start(settings: EngineSettings): Promise<{ engine: TfjsEngine; reason: string }> {
    const { backend, device, reason } = await startBackend(settings.backend);
    useBackend(backend);
    return { engine: new TfjsEngine(settings, backend, device), reason };
  }

  // The work is synchronous: tfjs on a CPU blocks its thread anyway, and nothing can come between two operations of
  // one batch. `async` turns faults into rejections.
  // eslint-disable-next-line @typescript-eslint/require-await
  async trainBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    useBackend(this.#backend);
    const voxelsHu = batch.voxelsHu;
    const statistics = batchStatistics(voxelsHu);
    const normalisation = new Float64Array(NORMALISATION_PARAMETERS);
    this.#network.dropGradients();
    const result = this.#forEachSample(batch, statistics, (normalised, input, label) => {
      let entropy = { loss: Number.NaN, probability: Number.NaN };
      const inputGradient = this.#network.learn(input, (logits) => {
        const { logitGradient, ...values } = crossEntropy(logits, label);
        entropy = values;
        return [logitGradient[0] / batch.count, logitGradient[1] / batch.count];
      });
      const { scale, shift } = normalisationGradients(normalised, inputGradient);
      normalisation[0]! += scale;
      normalisation[1]! += shift;
      return entropy;
    });
    this.#step([...normalisation]);
    this.#state.running = updateRunningStatistics(this.#state.running, statistics, voxelsHu.length);
    return result;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    useBackend(this.#backend);
    return this.#forEachSample(batch, this.#state.running, (_, input, label) =>
      crossEntropy(this.#network.infer(input), label),
    );
  }

  /** Evaluation's logits [not nodule, nodule] of one chunk in HU: what the reference values are given as. */
  inferLogits(voxelsHu: Float32Array): Logits {
    useBackend(this.#backend);
    const [scale, shift] = this.#scaleAndShift();
    return this.#network.infer(scaleAndShift(normaliseVoxels(voxelsHu, this.#state.running), scale, shift));
  }

  exportState(): Promise<ModelState> {
    return Promise.resolve(toModelState(this.#state, this.#specs));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async importState(state: ModelState): Promise<void> {
    this.#state = fromModelState(state, this.#specs);
    this.#sendWeights();
  }

  dispose(): void {
    useBackend(this.#backend);
    this.#network.dispose();
  }

  #scaleAndShift(): [number, number] {
    return [this.#state.parameters[0]![0]!, this.#state.parameters[1]![0]!];
  }

  #forEachSample(
    { voxelsHu, labels, count }: Batch,
    statistics: InputStatistics,
    run: (
      normalised: Float32Array,
      input: Float32Array,
      label: number,
    ) => { readonly loss: number; readonly probability: number },
  ): BatchResult {
    const losses = new Float32Array(count);
    const probabilities = new Float32Array(count);
    const size = voxelsHu.length / count;
    const [scale, shift] = this.#scaleAndShift();
    for (let sample = 0; sample < count; sample++) {
      const chunk = voxelsHu.subarray(sample * size, (sample + 1) * size);
      const normalised = normaliseVoxels(chunk, statistics);
      const { loss, probability } = run(normalised, scaleAndShift(normalised, scale, shift), labels[sample]!);
      losses[sample] = loss;
      probabilities[sample] = probability;
    }
    return { losses, probabilities };
  }

  #step(normalisationGradient: readonly number[]): void {
    const gradients = [
      ...normalisationGradient.map((value) => Float32Array.of(value)),
      ...this.#network.takeGradients(),
    ];
    for (const [index, gradient] of gradients.entries()) {
      stepMomentumSgd(
        this.#state.parameters[index]!,
        this.#state.velocities[index]!,
        gradient,
        this.#settings,
      );
    }
    this.#sendWeights();
  }

  #sendWeights(): void {
    useBackend(this.#backend);
    this.#network.loadParameters(this.#state.parameters.slice(NORMALISATION_PARAMETERS));
  }
}
