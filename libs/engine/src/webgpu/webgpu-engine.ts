import tf from '@tensorflow/tfjs';
import type { Tensor, TensorInfo } from '@tensorflow/tfjs';
import { assertBatchShape, assertFiniteVoxels } from '../assert-batch.ts';
import type { Batch, BatchResult, Engine, ModelState, ModelTensor } from '../engine.ts';
import { trainingRules, type EngineSettings, type TrainingRules } from '../engine-settings.ts';
import { EngineUnavailableError } from '../errors.ts';
import { initialiseLunaModel } from '../initialise-luna-model.ts';
import { FIXED_STATISTICS, INITIAL_RUNNING_STATISTICS } from '../input-normalisation.ts';
import { sampleLoss } from '../loss.ts';
import {
  CLASS_COUNT,
  countParameters,
  firstTrainedParameter,
  lunaParameters,
  type ParameterSpec,
} from '../luna-model.ts';
import { fromModelState, startTrainingState, toModelState, type TrainingState } from '../model-state.ts';
import { adamStep, OPTIMIZER_SLOTS } from '../optimizers.ts';
import { channelsFirst, type Logits } from '../tfjs/device-engine.ts';
import { runKernel, type GpuKernel } from './kernels/gpu-kernel.ts';
import { copyKernel } from './kernels/layer-kernels.ts';
import { squareSumKernel, updateKernel, type UpdateStep } from './kernels/update-kernels.ts';
import { loadWebgpu, useWebgpu, type LoadedWebgpu } from './load-webgpu.ts';
import { gpuDevices } from './gpu-devices.ts';
import {
  fromBlocks,
  parameterBlocks,
  toBlock,
  trainedBlocks,
  type ParameterBlock,
  type TrainedBlocks,
} from './parameter-blocks.ts';
import { WebgpuInput, type InputGroup } from './webgpu-input.ts';
import { WebgpuNetwork, type NetworkInput } from './webgpu-network.ts';

/** A step's activations of 128 samples of 32x48x48 take some 2 GB. */
const GROUP_SAMPLES = 128;

export interface WebgpuEngineOptions {
  readonly load?: () => Promise<LoadedWebgpu>;
  /** Samples that pass the network together: the device's memory grows with it, results do not depend on it but by rounding. */
  readonly groupSamples?: number;
}

/**
 * LunaModel on any GPU with a Vulkan, Metal or D3D12 driver. Model and optimizer live on the device; of a step only the
 * logits come back, and they are waited for once, when all of it is on the queue. Every call puts its whole work on the queue
 * before it first waits: calls take effect in their order, and the next batch is on its way up while the device computes.
 */
export class WebgpuEngine implements Engine {
  readonly name = 'webgpu';
  readonly device: string;
  readonly deviceMemoryBytes: number | undefined;
  readonly parameterCount: number;
  readonly #settings: EngineSettings;
  readonly #rules: TrainingRules;
  readonly #loaded: LoadedWebgpu;
  readonly #specs: readonly ParameterSpec[];
  readonly #blocks: readonly ParameterBlock[];
  readonly #network: WebgpuNetwork;
  readonly #input: WebgpuInput;
  readonly #firstTrained: number;
  readonly #trained: TrainedBlocks;
  /** Of each block its values and then its slots, changed in place. */
  #states: Tensor[] = [];
  /** Of the blocks that are trained. */
  #gradients: Tensor[] = [];
  #steps = 0;

  private constructor(settings: EngineSettings, loaded: LoadedWebgpu, groupSamples: number) {
    this.#settings = settings;
    this.#rules = trainingRules(settings);
    this.#loaded = loaded;
    this.device = loaded.device;
    this.deviceMemoryBytes = loaded.deviceMemoryBytes;
    this.#specs = lunaParameters(settings.chunkShape);
    this.parameterCount = countParameters(this.#specs);
    this.#blocks = parameterBlocks(this.#specs);
    this.#firstTrained = firstTrainedParameter(this.#specs, this.#rules.fineTuneDepth);
    this.#trained = trainedBlocks(this.#blocks, this.#firstTrained);
    useWebgpu();
    this.#network = new WebgpuNetwork(loaded.backend, settings.chunkShape, settings.activationStorage);
    const running = this.#measuresBatches()
      ? INITIAL_RUNNING_STATISTICS
      : { ...FIXED_STATISTICS, batchesTracked: 0 };
    this.#input = new WebgpuInput(loaded.backend, {
      normalisation: this.#rules.inputNormalisation,
      groupSamples: this.#network.groupSize(groupSamples),
      running,
    });
    const parameters = initialiseLunaModel(this.#specs, settings.runSeed);
    this.#takeState(startTrainingState(parameters, this.#rules.optimizer.optimizer, running));
  }

  /**
   * A new model from checked settings, and why it computes where it does.
   * @throws EngineUnavailableError where Dawn or an adapter is missing.
   */
  static async start(
    settings: EngineSettings,
    { load = loadWebgpu, groupSamples = GROUP_SAMPLES }: WebgpuEngineOptions = {},
  ): Promise<{ engine: WebgpuEngine; reason: string }> {
    const loaded = await load();
    const engine = new WebgpuEngine(settings, loaded, groupSamples);
    const found = loaded.isGpu ? 'WebGPU found a GPU' : 'WebGPU found no GPU and computes on the CPU, slowly';
    return { engine, reason: `${found}: ${loaded.device}` };
  }

  /** As `start`, but only on a GPU; where the machine shows none, Dawn is not even loaded. */
  static async startOnGpu(
    settings: EngineSettings,
    {
      load = loadWebgpu,
      devices = gpuDevices(),
    }: { load?: () => Promise<LoadedWebgpu>; devices?: string[] } = {},
  ): Promise<{ engine: WebgpuEngine; reason: string }> {
    if (devices.length === 0)
      throw new EngineUnavailableError('webgpu', 'no GPU (no nvidia, dri or dxg in /dev)');
    const loaded = await load();
    if (!loaded.isGpu) throw new EngineUnavailableError('webgpu', `found no GPU, only ${loaded.device}`);
    return WebgpuEngine.start(settings, { load: () => Promise.resolve(loaded) });
  }

  async trainBatch(batch: Batch, learningRate = this.#settings.learningRate): Promise<BatchResult> {
    this.#check(batch);
    const parameters = this.#states;
    const groups = this.#input.send(batch);
    const isOfBatch = this.#measuresBatches();
    if (isOfBatch) this.#input.measure(groups);
    let sums: Tensor[] = [];
    const logits = this.#forEachGroup(groups, isOfBatch, (input, { labels }) => {
      const pass = this.#network.forward(input, parameters);
      const fresh = this.#network.backward(pass, {
        parameters,
        labels,
        loss: this.#rules.loss,
        batchSamples: batch.count,
        firstTrained: this.#trained.first,
      });
      const added = fresh.map((gradient, index) =>
        sums.length === 0 ? gradient : tf.add(sums[index]!, gradient),
      );
      if (sums.length > 0) tf.dispose([...sums, ...fresh]);
      sums = added;
      return pass.logits;
    });
    tf.dispose(this.#gradients);
    this.#gradients = sums;
    this.#step(learningRate);
    return this.#results(batch, logits);
  }

  async evaluateBatch(batch: Batch): Promise<BatchResult> {
    this.#check(batch);
    const logits = this.#forEachGroup(this.#input.send(batch), false, (input) => {
      const pass = this.#network.forward(input, this.#states);
      this.#network.disposeActivations(pass);
      return pass.logits;
    });
    return this.#results(batch, logits);
  }

  /** Evaluation's logits [not nodule, nodule] of one chunk in HU: what the reference values are given as. */
  async inferLogits(voxelsHu: Float32Array): Promise<Logits> {
    const values = (await this.inspectSample(voxelsHu)).at(-1)!.values;
    return [values[0]!, values[1]!];
  }

  async exportGradients(): Promise<readonly ModelTensor[]> {
    if (this.#gradients.length === 0) return [];
    useWebgpu();
    const values = await this.#read(this.#gradients);
    const frozen = this.#blocks.slice(0, this.#trained.first).map(({ size }) => new Float32Array(size));
    const arrays = fromBlocks(this.#blocks, [...frozen, ...values]);
    return this.#specs
      .map(({ name, shape }, index) => ({ name, shape, values: arrays[index]! }))
      .slice(this.#firstTrained);
  }

  async inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]> {
    const batch = { voxelsHu, labels: Float32Array.of(0), count: 1 };
    this.#check(batch);
    const { depth, height, width } = this.#settings.chunkShape;
    const [group] = this.#input.send(batch);
    const normalised = this.#input.normalise(group!, { isOfBatch: false });
    const pass = this.#network.forward({ normalised, samples: 1 }, this.#states);
    const [states, voxels] = await Promise.all([this.#read(this.#states), this.#read([normalised])]);
    const [scale, shift] = states[0]!.subarray(this.#blocks[0]!.size - 2);
    const input = voxels[0]!.map((value) => scale! * value + shift!);
    const layers: ModelTensor[] = [{ name: 'input', shape: [1, depth, height, width], values: input }];
    for (const [block, { middle, pooled }] of pass.blocks.entries()) {
      for (const [name, layer] of [
        ['.conv1', middle],
        ['', pooled],
      ] as const) {
        const values = this.#network.toFloat32(layer);
        const [, ...sides] = values.shape as [number, number, number, number, number];
        layers.push(channelsFirst(`block${block + 1}${name}`, await values.data<'float32'>(), sides));
        values.dispose();
      }
    }
    const values = (await pass.logits.data<'float32'>()).slice();
    this.#loaded.assertSound();
    useWebgpu();
    this.#network.disposeActivations(pass);
    tf.dispose([normalised, group!.voxels, group!.labels, pass.logits]);
    return [...layers, { name: 'head_linear', shape: [CLASS_COUNT], values }];
  }

  async exportState(): Promise<ModelState> {
    useWebgpu();
    const steps = this.#steps;
    const [states, running] = await Promise.all([this.#read(this.#states), this.#input.readRunning()]);
    const slots = OPTIMIZER_SLOTS[this.#rules.optimizer.optimizer].length;
    const arraysAt = (slot: number) =>
      fromBlocks(
        this.#blocks,
        states.map((values, block) => {
          const { size } = this.#blocks[block]!;
          return values.subarray(slot * size, (slot + 1) * size);
        }),
      );
    const state: TrainingState = {
      parameters: arraysAt(0),
      slots: Array.from({ length: slots }, (_, slot) => arraysAt(slot + 1)),
      steps,
      running,
    };
    return toModelState(state, this.#specs, this.#rules.optimizer.optimizer);
  }

  // `async` turns faults into rejections.
  // eslint-disable-next-line @typescript-eslint/require-await
  async importState(state: ModelState): Promise<void> {
    const checked = fromModelState(state, this.#specs, this.#rules.optimizer.optimizer);
    useWebgpu();
    this.#takeState(checked);
    tf.dispose(this.#gradients);
    this.#gradients = [];
  }

  memoryBytes(): Promise<number> {
    return Promise.resolve(this.#loaded.backend.memory().numBytesAllocatedInGPU + this.#input.memoryBytes());
  }

  dispose(): void {
    useWebgpu();
    tf.dispose([...this.#states, ...this.#gradients]);
    this.#input.dispose();
    this.#states = [];
    this.#gradients = [];
  }

  #measuresBatches(): boolean {
    return this.#rules.inputNormalisation === 'batch';
  }

  #check(batch: Batch): void {
    assertBatchShape(batch, this.#settings.chunkShape);
    assertFiniteVoxels(batch);
    useWebgpu();
  }

  #takeState({ parameters, slots, steps, running }: TrainingState): void {
    tf.dispose(this.#states);
    this.#states = this.#blocks.map((block) => {
      const values = new Float32Array(block.size * (1 + slots.length));
      for (const [index, arrays] of [parameters, ...slots].entries()) {
        values.set(toBlock(block, arrays), index * block.size);
      }
      return tf.tensor1d(values);
    });
    this.#steps = steps;
    this.#input.loadRunning(running);
  }

  /** Gives the groups' logits, on the device, and frees the groups. */
  #forEachGroup(
    groups: readonly InputGroup[],
    isOfBatch: boolean,
    run: (input: NetworkInput, group: InputGroup) => Tensor,
  ): Tensor[] {
    return groups.map((group) => {
      const normalised = this.#input.normalise(group, { isOfBatch });
      const logits = run({ normalised, samples: group.samples }, group);
      tf.dispose([normalised, group.voxels, group.labels]);
      return logits;
    });
  }

  async #results({ labels, count }: Batch, groups: readonly Tensor[]): Promise<BatchResult> {
    const read = await Promise.all(groups.map((logits) => logits.data<'float32'>()));
    this.#loaded.assertSound();
    useWebgpu();
    tf.dispose([...groups]);
    const losses = new Float32Array(count);
    const probabilities = new Float32Array(count);
    let sample = 0;
    for (const values of read) {
      for (let index = 0; index < values.length; index += CLASS_COUNT, sample++) {
        const pair = [values[index]!, values[index + 1]!] as const;
        const { loss, probability } = sampleLoss(pair, labels[sample]!, this.#rules.loss);
        losses[sample] = loss;
        probabilities[sample] = probability;
      }
    }
    return { losses, probabilities };
  }

  #step(learningRate: number): void {
    const { optimizer, largestGradientNorm } = this.#rules;
    // Clipping is the kernels' own.
    const stepSize = { learningRate, gradientScale: 1 };
    const update: UpdateStep =
      optimizer.optimizer === 'sgd'
        ? {
            kind: 'sgd',
            step: { ...stepSize, momentum: optimizer.momentum, weightDecay: optimizer.weightDecay },
          }
        : {
            kind: 'adam',
            step: adamStep(optimizer, ++this.#steps, stepSize),
          };
    const squares: Tensor[] = [];
    if (largestGradientNorm !== undefined) {
      const sum = tf.tensor1d([0]);
      for (const [index, gradient] of this.#gradients.entries()) {
        this.#runInto(sum, squareSumKernel(this.#trained.lengths[index]!), gradient);
      }
      squares.push(sum);
    }
    for (const [index, gradient] of this.#gradients.entries()) {
      const block = this.#trained.first + index;
      const size = { length: this.#blocks[block]!.size, trained: this.#trained.lengths[index]! };
      const kernel = updateKernel(size, update, largestGradientNorm);
      this.#runInto(this.#states[block]!, kernel, gradient, ...squares);
    }
    tf.dispose(squares);
  }

  #runInto(into: TensorInfo, kernel: GpuKernel, ...tensors: readonly TensorInfo[]): void {
    runKernel(this.#loaded.backend, kernel, tensors, { into });
  }

  /** Values of `tensors` as they are when it is called, whatever is put on the queue afterwards. */
  async #read(tensors: readonly Tensor[]): Promise<Float32Array[]> {
    const copies = tensors.map((tensor) =>
      tf
        .engine()
        .makeTensorFromTensorInfo(runKernel(this.#loaded.backend, copyKernel(tensor.size), [tensor])),
    );
    const values = await Promise.all(copies.map((copy) => copy.data<'float32'>()));
    this.#loaded.assertSound();
    useWebgpu();
    tf.dispose(copies);
    return values;
  }
}
