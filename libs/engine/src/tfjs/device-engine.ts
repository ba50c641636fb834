import { assertBatchShape, assertFiniteVoxels } from '../assert-batch.ts';
import type { Batch, BatchResult, Engine, ModelState, ModelTensor } from '../engine.ts';
import { trainingRules, type EngineSettings, type TrainingRules } from '../engine-settings.ts';
import { initialiseLunaModel } from '../initialise-luna-model.ts';
import {
  batchStatistics,
  FIXED_STATISTICS,
  INITIAL_RUNNING_STATISTICS,
  normaliseVoxels,
  updateRunningStatistics,
  type InputStatistics,
} from '../input-normalisation.ts';
import { sampleLoss } from '../loss.ts';
import { countParameters, firstTrainedParameter, lunaParameters, type ParameterSpec } from '../luna-model.ts';
import { fromModelState, startTrainingState, toModelState, type TrainingState } from '../model-state.ts';
import { adamStep, clippingScale, stepAdam, stepSgd } from '../optimizers.ts';

/** [not nodule, nodule] */
export type Logits = [number, number];

/** Samples that pass the network together. */
export interface NetworkGroup {
  /** `[count, depth, height, width]`, normalised, neither scaled nor shifted. */
  readonly normalised: Float32Array;
  readonly scale: number;
  readonly shift: number;
  readonly count: number;
}

/** Gradients of the two parameters that follow the input normalisation, which the engine keeps. */
export interface NormalisationGradients {
  readonly scale: number;
  readonly shift: number;
}

/** The device's side of LunaModel: weights, and gradients summed over groups. */
export interface DeviceNetwork {
  /** Most samples of a group: the device's memory grows with it. */
  readonly groupSize: number;
  /** Copies the parameters but the normalisation's two to the device, in place of the last ones. */
  loadParameters(values: readonly Float32Array[]): void;
  /** Forward. */
  infer(group: NetworkGroup): Logits[];
  /** Forward, then backward from what `lossGradient` gives for each sample's logits. */
  learn(
    group: NetworkGroup,
    lossGradient: (logits: Logits, sample: number) => readonly [number, number],
  ): NormalisationGradients;
  /**
   * The summed gradients of the parameters, in PyTorch's layout; the sums start anew. Those of frozen parameters are not read:
   * their arrays may be empty.
   */
  takeGradients(): Float32Array[];
  /** Forgets the sums of a batch that failed half-way. */
  dropGradients(): void;
  /** Activations of a group of one sample: `Engine.inspectSample`. */
  inspect(group: NetworkGroup): ModelTensor[];
  dispose(): void;
}

/** Where an engine of this kind computes. */
export interface Device {
  /** Name of the engine. */
  readonly name: string;
  /** For people. */
  readonly device: string;
  /** Of a GPU. */
  readonly deviceMemoryBytes?: number | undefined;
  /** Bytes of all tensors. */
  readonly memoryBytes: () => number;
  /** Parameters before `firstTrained`, a place in `specs`, are frozen: their gradients need not be computed. */
  readonly makeNetwork: (specs: readonly ParameterSpec[], firstTrained: number) => DeviceNetwork;
  /** Called before each piece of synchronous work. */
  readonly activate: () => void;
}

/** The normalisation's scale and shift are the first two parameters. */
const NORMALISATION_PARAMETERS = 2;

/**
 * LunaModel where another library does the convolutions. Parameters, optimizer and normalisation live here in typed arrays,
 * and the device gets a copy of the weights after each step.
 */
export class DeviceEngine implements Engine {
  readonly name: string;
  readonly device: string;
  readonly deviceMemoryBytes: number | undefined;
  readonly parameterCount: number;
  readonly #memoryBytes: () => number;
  readonly #settings: EngineSettings;
  readonly #rules: TrainingRules;
  readonly #activate: () => void;
  readonly #specs: readonly ParameterSpec[];
  /** Those before are frozen. */
  readonly #firstTrained: number;
  readonly #network: DeviceNetwork;
  #state: TrainingState;
  /** Of the parameters that train. */
  #gradients: readonly Float32Array[] = [];

  constructor(settings: EngineSettings, { makeNetwork, activate, ...device }: Device) {
    this.#settings = settings;
    this.#rules = trainingRules(settings);
    this.name = device.name;
    this.device = device.device;
    this.deviceMemoryBytes = device.deviceMemoryBytes;
    this.#memoryBytes = device.memoryBytes;
    this.#activate = activate;
    this.#specs = lunaParameters(settings.chunkShape);
    this.parameterCount = countParameters(this.#specs);
    this.#firstTrained = firstTrainedParameter(this.#specs, this.#rules.fineTuneDepth);
    activate();
    this.#network = makeNetwork(
      this.#specs.slice(NORMALISATION_PARAMETERS),
      Math.max(0, this.#firstTrained - NORMALISATION_PARAMETERS),
    );
    this.#state = startTrainingState(
      initialiseLunaModel(this.#specs, settings.runSeed),
      this.#rules.optimizer.optimizer,
      this.#measuresBatches() ? INITIAL_RUNNING_STATISTICS : { ...FIXED_STATISTICS, batchesTracked: 0 },
    );
    this.#sendWeights();
  }

  // The work is synchronous: on a CPU it blocks its thread anyway, and nothing can come between two operations of one
  // batch. `async` turns faults into rejections.
  // eslint-disable-next-line @typescript-eslint/require-await
  async trainBatch(batch: Batch, learningRate = this.#settings.learningRate): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    this.#activate();
    const measured = this.#measuresBatches() ? batchStatistics(batch.voxelsHu) : undefined;
    const normalisation = [0, 0];
    this.#network.dropGradients();
    const result = this.#forEachGroup(batch, measured ?? this.#state.running, (group, first, tell) => {
      const { scale, shift } = this.#network.learn(group, (logits, sample) => {
        const [no, yes] = tell(first + sample, logits);
        return [no / batch.count, yes / batch.count];
      });
      normalisation[0]! += scale;
      normalisation[1]! += shift;
    });
    this.#gradients = [
      ...normalisation.map((value) => Float32Array.of(value)),
      ...this.#network.takeGradients(),
    ].slice(this.#firstTrained);
    this.#step(learningRate);
    if (measured !== undefined) {
      const voxels = batch.voxelsHu.length;
      this.#state.running = updateRunningStatistics(this.#state.running, measured, voxels);
    }
    return result;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    this.#activate();
    return this.#forEachGroup(batch, this.#state.running, (group, first, tell) => {
      for (const [sample, logits] of this.#network.infer(group).entries()) tell(first + sample, logits);
    });
  }

  /** Evaluation's logits [not nodule, nodule] of one chunk in HU: what the reference values are given as. */
  inferLogits(voxelsHu: Float32Array): Logits {
    this.#activate();
    return this.#network.infer(this.#group(voxelsHu, 1, this.#state.running))[0]!;
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    return Promise.resolve(
      this.#gradients.map((values, index) => {
        const { name, shape } = this.#specs[this.#firstTrained + index]!;
        return { name, shape, values: values.slice() };
      }),
    );
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    const batch = { voxelsHu, labels: Float32Array.of(0), count: 1 };
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    this.#activate();
    const group = this.#group(voxelsHu, 1, this.#state.running);
    const { depth, height, width } = this.#settings.chunkShape;
    const input = scaleAndShift(group);
    return [
      { name: 'input', shape: [1, depth, height, width], values: input },
      ...this.#network.inspect(group),
    ];
  }

  exportState(): Promise<ModelState> {
    return Promise.resolve(toModelState(this.#state, this.#specs, this.#rules.optimizer.optimizer));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async importState(state: ModelState): Promise<void> {
    this.#state = fromModelState(state, this.#specs, this.#rules.optimizer.optimizer);
    this.#gradients = [];
    this.#sendWeights();
  }

  memoryBytes(): Promise<number> {
    return Promise.resolve(this.#memoryBytes());
  }

  dispose(): void {
    this.#activate();
    this.#network.dispose();
  }

  #measuresBatches(): boolean {
    return this.#rules.inputNormalisation === 'batch';
  }

  #group(voxelsHu: Float32Array, count: number, statistics: InputStatistics): NetworkGroup {
    const [scale, shift] = this.#state.parameters.slice(0, NORMALISATION_PARAMETERS).map(([value]) => value!);
    const normalised = normaliseVoxels(voxelsHu, statistics, this.#rules.inputNormalisation);
    return { normalised, scale: scale!, shift: shift!, count };
  }

  /** `run` tells each sample's logits and gets the gradient of its loss. */
  #forEachGroup(
    { voxelsHu, labels, count }: Batch,
    statistics: InputStatistics,
    run: (
      group: NetworkGroup,
      first: number,
      tell: (sample: number, logits: Logits) => readonly [number, number],
    ) => void,
  ): BatchResult {
    const losses = new Float32Array(count);
    const probabilities = new Float32Array(count);
    const tell = (sample: number, logits: Logits) => {
      const { loss, probability, logitGradient } = sampleLoss(logits, labels[sample]!, this.#rules.loss);
      losses[sample] = loss;
      probabilities[sample] = probability;
      return logitGradient;
    };
    const size = voxelsHu.length / count;
    for (let first = 0; first < count; first += this.#network.groupSize) {
      const end = Math.min(first + this.#network.groupSize, count);
      const chunks = voxelsHu.subarray(first * size, end * size);
      run(this.#group(chunks, end - first, statistics), first, tell);
    }
    return { losses, probabilities };
  }

  #step(learningRate: number): void {
    const { optimizer, largestGradientNorm } = this.#rules;
    const [parameters, first, second] = [this.#state.parameters, ...this.#state.slots].map((arrays) =>
      arrays.slice(this.#firstTrained),
    );
    const gradientScale = clippingScale(this.#gradients, largestGradientNorm);
    const size = { learningRate, gradientScale };
    if (optimizer.optimizer === 'sgd') {
      for (const [index, gradient] of this.#gradients.entries()) {
        stepSgd(parameters![index]!, first![index]!, gradient, { ...size, ...optimizer });
      }
    } else {
      const factors = adamStep(optimizer, ++this.#state.steps, size);
      for (const [index, gradient] of this.#gradients.entries()) {
        stepAdam(parameters![index]!, [first![index]!, second![index]!], gradient, factors);
      }
    }
    this.#sendWeights();
  }

  #sendWeights(): void {
    this.#activate();
    this.#network.loadParameters(this.#state.parameters.slice(NORMALISATION_PARAMETERS));
  }
}

/** What enters the first convolution. */
export function scaleAndShift({ normalised, scale, shift }: NetworkGroup): Float32Array {
  return normalised.map((value) => scale * value + shift);
}

/** `[depth][height][width][channels]`, as tfjs has it, to `[channels, depth, height, width]`. */
export function channelsFirst(
  name: string,
  values: Float32Array,
  [depth, height, width, channels]: readonly [number, number, number, number],
): ModelTensor {
  const positions = depth * height * width;
  const moved = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    moved[(index % channels) * positions + Math.floor(index / channels)] = values[index]!;
  }
  return { name, shape: [channels, depth, height, width], values: moved };
}
