import { setImmediate as letCallsIn } from 'node:timers/promises';
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

/** Samples that will pass the network together. */
export interface PreparedGroup {
  /** `[count, depth, height, width]`, normalised, neither scaled nor shifted. */
  readonly normalised: Float32Array;
  readonly count: number;
}

/** Samples that pass the network together. */
export interface NetworkGroup extends PreparedGroup {
  readonly scale: number;
  readonly shift: number;
}

/** Gradients of the two parameters that follow the input normalisation, which the engine keeps. */
export interface NormalisationGradients {
  readonly scale: number;
  readonly shift: number;
}

/** What a batch's groups add up to. */
export interface SummedGradients {
  readonly normalisation: NormalisationGradients;
  /** In PyTorch's layout. Those of frozen parameters are not read: their arrays may be empty. */
  readonly parameters: Float32Array[];
}

/** The device's side of LunaModel: weights, and gradients summed over groups. */
export interface DeviceNetwork {
  /** Most samples of a group: the device's memory grows with it. */
  readonly groupSize: number;
  /** Copies the parameters but the normalisation's two to the device, in place of the last ones. */
  loadParameters(values: readonly Float32Array[]): void;
  /** Begins to send up a group that will be learnt or inferred, or dropped. */
  send(group: PreparedGroup): void;
  /** Forgets a group that was sent; nothing where it has passed the network. */
  drop(group: PreparedGroup): void;
  /** Forward. The logits are waited for when they are asked for, once. */
  infer(group: NetworkGroup): () => Logits[];
  /**
   * Forward, then backward from what `lossGradient` gives for each sample's logits; the gradients need not be there when it
   * returns.
   */
  learn(
    group: NetworkGroup,
    lossGradient: (logits: Logits, sample: number) => readonly [number, number],
  ): void;
  /** The summed gradients; the sums start anew. */
  takeGradients(): SummedGradients;
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

/** A batch that has been checked and measured, and is on its way to the device. */
interface PreparedBatch {
  readonly labels: ArrayLike<number>;
  readonly count: number;
  readonly groups: readonly PreparedGroup[];
}

/**
 * LunaModel where another library does the convolutions. Parameters, optimizer and normalisation live here in typed arrays,
 * and the device gets a copy of the weights after each step.
 *
 * A GPU computes while its library returns at once, so calls are let in between what is asked of it and the reading of what
 * it gave: the next batch is checked, normalised and sent up meanwhile.
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
  /** Settles when every call so far has taken effect. */
  #latest: Promise<unknown> = Promise.resolve();
  /** Calls that have not taken effect and may change the running statistics. */
  #changesAhead = 0;
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

  // `async` turns faults of a batch into rejections.
  async trainBatch(batch: Batch, learningRate = this.#settings.learningRate): Promise<BatchResult> {
    this.#check(batch);
    const measured = this.#measuresBatches() ? batchStatistics(batch.voxelsHu) : undefined;
    const prepared = this.#prepareAhead(batch, measured);
    const step = async () => {
      const result = await this.#learn(prepared ?? this.#prepare(batch, this.#state.running));
      this.#activate();
      const { normalisation, parameters } = this.#network.takeGradients();
      const ofNormalisation = [normalisation.scale, normalisation.shift].map((value) =>
        Float32Array.of(value),
      );
      this.#gradients = [...ofNormalisation, ...parameters].slice(this.#firstTrained);
      this.#step(learningRate);
      if (measured !== undefined) {
        const voxels = batch.voxelsHu.length;
        this.#state.running = updateRunningStatistics(this.#state.running, measured, voxels);
      }
      return result;
    };
    return measured === undefined ? this.#inTurn(step) : this.#change(step);
  }

  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    this.#check(batch);
    const prepared = this.#prepareAhead(batch, undefined);
    return this.#inTurn(() => this.#infer(prepared ?? this.#prepare(batch, this.#state.running)));
  }

  /** Evaluation's logits [not nodule, nodule] of one chunk in HU: what the reference values are given as. */
  inferLogits(voxelsHu: Float32Array): Logits {
    this.#activate();
    return this.#network.infer(this.#group(this.#normalise(voxelsHu, 1, this.#state.running)))()[0]!;
  }

  exportGradients(): Promise<readonly ModelTensor[]> {
    return this.#inTurn(() =>
      this.#gradients.map((values, index) => {
        const { name, shape } = this.#specs[this.#firstTrained + index]!;
        return { name, shape, values: values.slice() };
      }),
    );
  }

  async inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    const batch = { voxelsHu, labels: Float32Array.of(0), count: 1 };
    this.#check(batch);
    return this.#inTurn(() => {
      this.#activate();
      const group = this.#group(this.#normalise(voxelsHu, 1, this.#state.running));
      const { depth, height, width } = this.#settings.chunkShape;
      const input = scaleAndShift(group);
      return [
        { name: 'input', shape: [1, depth, height, width], values: input },
        ...this.#network.inspect(group),
      ];
    });
  }

  exportState(): Promise<ModelState> {
    return this.#inTurn(() => toModelState(this.#state, this.#specs, this.#rules.optimizer.optimizer));
  }

  importState(state: ModelState): Promise<void> {
    return this.#change(() => {
      this.#state = fromModelState(state, this.#specs, this.#rules.optimizer.optimizer);
      this.#gradients = [];
      this.#sendWeights();
    });
  }

  memoryBytes(): Promise<number> {
    return this.#inTurn(() => this.#memoryBytes());
  }

  dispose(): void {
    this.#activate();
    this.#network.dispose();
  }

  #measuresBatches(): boolean {
    return this.#rules.inputNormalisation === 'batch';
  }

  #check(batch: Batch): void {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
  }

  /** Does `work` when every call before has taken effect, whether it failed or not. */
  #inTurn<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    const turn = this.#latest.then(work);
    this.#latest = turn.catch(() => undefined);
    return turn;
  }

  /** As `#inTurn`, for work that may change the running statistics. */
  #change<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    this.#changesAhead++;
    return this.#inTurn(work).finally(() => this.#changesAhead--);
  }

  /** Undefined where the statistics to normalise by are not known yet: a call ahead may still change the running ones. */
  #prepareAhead(batch: Batch, measured: InputStatistics | undefined): PreparedBatch | undefined {
    if (measured === undefined && this.#changesAhead > 0) return undefined;
    return this.#prepare(batch, measured ?? this.#state.running);
  }

  #prepare({ voxelsHu, labels, count }: Batch, statistics: InputStatistics): PreparedBatch {
    this.#activate();
    const size = voxelsHu.length / count;
    const groups: PreparedGroup[] = [];
    for (let first = 0; first < count; first += this.#network.groupSize) {
      const end = Math.min(first + this.#network.groupSize, count);
      const group = this.#normalise(voxelsHu.subarray(first * size, end * size), end - first, statistics);
      this.#network.send(group);
      groups.push(group);
    }
    return { labels, count, groups };
  }

  #normalise(voxelsHu: Float32Array, count: number, statistics: InputStatistics): PreparedGroup {
    return { normalised: normaliseVoxels(voxelsHu, statistics, this.#rules.inputNormalisation), count };
  }

  #group(prepared: PreparedGroup): NetworkGroup {
    const [scale, shift] = this.#state.parameters.slice(0, NORMALISATION_PARAMETERS).map(([value]) => value!);
    return { ...prepared, scale: scale!, shift: shift! };
  }

  #learn(batch: PreparedBatch): Promise<BatchResult> {
    this.#activate();
    this.#network.dropGradients();
    return this.#forEachGroup(batch, async (group, first, tell) => {
      this.#network.learn(group, (logits, sample) => {
        const [no, yes] = tell(first + sample, logits);
        return [no / batch.count, yes / batch.count];
      });
      await letCallsIn();
    });
  }

  #infer(batch: PreparedBatch): Promise<BatchResult> {
    return this.#forEachGroup(batch, async (group, first, tell) => {
      const read = this.#network.infer(group);
      await letCallsIn();
      this.#activate();
      for (const [sample, logits] of read().entries()) tell(first + sample, logits);
    });
  }

  /** `run` tells each sample's logits and gets the gradient of its loss. */
  async #forEachGroup(
    { labels, count, groups }: PreparedBatch,
    run: (
      group: NetworkGroup,
      first: number,
      tell: (sample: number, logits: Logits) => readonly [number, number],
    ) => Promise<void>,
  ): Promise<BatchResult> {
    const losses = new Float32Array(count);
    const probabilities = new Float32Array(count);
    const tell = (sample: number, logits: Logits) => {
      const { loss, probability, logitGradient } = sampleLoss(logits, labels[sample]!, this.#rules.loss);
      losses[sample] = loss;
      probabilities[sample] = probability;
      return logitGradient;
    };
    try {
      let first = 0;
      for (const group of groups) {
        this.#activate();
        await run(this.#group(group), first, tell);
        first += group.count;
      }
    } finally {
      this.#activate();
      for (const group of groups) this.#network.drop(group);
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
