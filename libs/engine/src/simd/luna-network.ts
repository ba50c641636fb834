/**
 * LunaModel on the thread pool. A task is one sample: each thread takes it through the whole network and back. A sample's
 * gradients are kept apart and added in the order of the batch, so that results do not depend on the number of
 * threads.
 */
import type { Batch, BatchResult, ModelTensor } from '../engine.ts';
import type { TrainingRules } from '../engine-settings.ts';
import type { InputStatistics } from '../input-normalisation.ts';
import type { LossSettings } from '../loss.ts';
import {
  BLOCK_CHANNELS,
  KERNEL_SIDE,
  NORMALISATION_EPSILON,
  type ChunkShape,
  type ParameterSpec,
} from '../luna-model.ts';
import { Arena } from './arena.ts';
import { BATCH_RECORD_BYTES, writeBatchRecord } from './batch-record.ts';
import { callKernel } from './kernel-calls.ts';
import { GrowingBlock } from './growing-block.ts';
import { KernelTables } from './kernel-tables.ts';
import { LunaParameters } from './luna-parameters.ts';
import { sampleProgram, type SampleAddresses, type SampleProgram } from './sample-program.ts';
import type { SharedMemory } from './shared-memory.ts';
import type { LoadedProgram, ThreadPool } from './thread-pool.ts';
import { FLOAT_BYTES, type Volume } from './volumes.ts';

/** Samples of one job: as many gradients are kept apart. A constant, because sums of sums depend on it. */
const WAVE_SAMPLES = 32;
/** Values of one task when gradients are added up. */
const TASK_LENGTH = 4096;
const DOUBLE_BYTES = 8;
const TAPS = KERNEL_SIDE ** 3;
/** Places among the parameters. */
const SCALE = 0;
const SHIFT = 1;
const FIRST_KERNEL = 2;

/** Logits [not nodule, nodule]. */
export type Logits = [number, number];

/** A batch in shared memory: addresses of arrays with a value per sample, or per voxel of each. */
interface StagedBatch {
  readonly count: number;
  /** Double precision. */
  readonly sums: number;
  readonly squares: number;
  /** Single precision. */
  readonly voxels: number;
  readonly labels: number;
  readonly losses: number;
  readonly probabilities: number;
}

export interface NetworkSettings extends TrainingRules {
  readonly chunkShape: ChunkShape;
}

export class LunaNetwork {
  readonly parameters: LunaParameters;
  readonly #pool: ThreadPool;
  readonly #voxelCount: number;
  readonly #loss: LossSettings;
  /** Of the calling thread. */
  readonly #layers: SampleProgram['layers'];
  readonly #addresses: SampleAddresses;
  readonly #training: LoadedProgram;
  readonly #evaluation: LoadedProgram;
  readonly #batchRoom: GrowingBlock;
  readonly #gradientRoom: GrowingBlock;

  /** @throws EngineMemoryError when the memory does not hold it. */
  constructor(pool: ThreadPool, settings: NetworkSettings, specs: readonly ParameterSpec[]) {
    const { memory } = pool;
    const { chunkShape, inputNormalisation } = settings;
    this.#loss = settings.loss;
    this.#pool = pool;
    this.#voxelCount = chunkShape.depth * chunkShape.height * chunkShape.width;
    this.#batchRoom = new GrowingBlock(memory);
    this.#gradientRoom = new GrowingBlock(memory);
    this.parameters = new LunaParameters(pool, specs, settings);
    const addresses = {
      batch: memory.allocateZeros(BATCH_RECORD_BYTES),
      logits: memory.allocateZeros(2 * FLOAT_BYTES * WAVE_SAMPLES),
      zeros: memory.allocateZeros(Math.max(...BLOCK_CHANNELS) * FLOAT_BYTES),
    };
    this.#addresses = addresses;
    const tables = new KernelTables(memory);
    const { parameters } = this;
    const plan = (arena: Arena, training: boolean) =>
      sampleProgram(
        { context: { arena, tables }, chunkShape, parameters, addresses, inputNormalisation },
        training,
      );
    const measure = new Arena(0);
    plan(measure, true);
    const arenas = Array.from({ length: pool.threads }, () => memory.allocateZeros(measure.size));
    this.#training = pool.load((thread) => plan(new Arena(arenas[thread]!), true).calls);
    this.#evaluation = pool.load((thread) => plan(new Arena(arenas[thread]!), false).calls);
    this.#layers = plan(new Arena(arenas[0]!), false).layers;
  }

  /** Copies a batch into shared memory, in place of the one before. */
  stage({ voxelsHu, labels, count }: Batch): StagedBatch {
    const { memory } = this.#pool;
    const perSample = 2 * DOUBLE_BYTES + (this.#voxelCount + 3) * FLOAT_BYTES;
    const sums = this.#batchRoom.reserve(count * perSample);
    const squares = sums + count * DOUBLE_BYTES;
    const voxels = squares + count * DOUBLE_BYTES;
    const labelsAt = voxels + count * this.#voxelCount * FLOAT_BYTES;
    const losses = labelsAt + count * FLOAT_BYTES;
    memory.floats(voxels, voxelsHu.length).set(voxelsHu);
    memory.floats(labelsAt, count).set(labels);
    return {
      count,
      sums,
      squares,
      voxels,
      labels: labelsAt,
      losses,
      probabilities: losses + count * FLOAT_BYTES,
    };
  }

  /** Are all voxels? */
  isFinite(batch: StagedBatch): boolean {
    return !Number.isNaN(this.#sumOverVoxels('sumVoxels', batch, 0));
  }

  /** Mean and biased variance over all voxels, in HU; undefined when one of them is not finite. */
  statistics(batch: StagedBatch): InputStatistics | undefined {
    const voxels = batch.count * this.#voxelCount;
    const mean = this.#sumOverVoxels('sumVoxels', batch, 0) / voxels;
    if (Number.isNaN(mean)) return undefined;
    return { mean, variance: this.#sumOverVoxels('sumSquares', batch, mean) / voxels };
  }

  /** Forward. */
  evaluate(batch: StagedBatch, statistics: InputStatistics): BatchResult {
    for (let first = 0; first < batch.count; first += WAVE_SAMPLES) {
      this.#describe(batch, statistics, first);
      this.#pool.run(this.#evaluation, Math.min(WAVE_SAMPLES, batch.count - first));
    }
    return this.#result(batch);
  }

  /** Forward and backward: the gradients of the mean loss come to lie in `parameters.gradients`. */
  learn(batch: StagedBatch, statistics: InputStatistics): BatchResult {
    const { layout, sums } = this.parameters;
    this.#gradientRoom.reserve(Math.min(WAVE_SAMPLES, batch.count) * layout.bytes);
    for (let first = 0; first < batch.count; first += WAVE_SAMPLES) {
      const count = Math.min(WAVE_SAMPLES, batch.count - first);
      this.#describe(batch, statistics, first);
      this.#pool.run(this.#training, count);
      const length = layout.bytes / FLOAT_BYTES;
      const reduce = callKernel('reduceParts', {
        ...{ count, length, to: sums, add: first > 0 ? 1 : 0, taskLength: TASK_LENGTH },
        parts: this.#gradientRoom.address,
        stride: layout.bytes,
      });
      this.#pool.runOnce([reduce], Math.ceil(length / TASK_LENGTH));
    }
    this.parameters.unpackGradients();
    this.#addNormalisationGradients();
    return this.#result(batch);
  }

  /** What the network makes of the one sample of `batch`: channels first. */
  inspect(batch: StagedBatch, statistics: InputStatistics): ModelTensor[] {
    // A job of one task runs on the calling thread.
    this.evaluate(batch, statistics);
    const layers = this.#layers.map(([name, volume]) => readVolume(this.#pool.memory, name, volume));
    const logits = Float32Array.from(this.firstLogits());
    return [...layers, { name: 'head_linear', shape: [logits.length], values: logits }];
  }

  /** Of the first sample of the last job. */
  firstLogits(): Logits {
    const [no, yes] = this.#pool.memory.floats(this.#addresses.logits, 2);
    return [no!, yes!];
  }

  #sumOverVoxels(kernel: 'sumVoxels' | 'sumSquares', batch: StagedBatch, mean: number): number {
    this.#describe(batch, { mean, variance: 1 }, 0);
    const { sums, squares, count } = batch;
    const call = callKernel(kernel, {
      ...{ sums, squares, batch: this.#addresses.batch, voxelCount: this.#voxelCount },
    });
    this.#pool.runOnce([call], count);
    return this.#pool.memory
      .doubles(kernel === 'sumVoxels' ? sums : squares, count)
      .reduce((sum, value) => sum + value, 0);
  }

  /** Tells the threads about the samples from `first` on. */
  #describe(batch: StagedBatch, { mean, variance }: InputStatistics, first: number): void {
    const offset = first * FLOAT_BYTES;
    writeBatchRecord(this.#pool.memory, this.#addresses.batch, {
      mean,
      inverseDeviation: 1 / Math.sqrt(variance + NORMALISATION_EPSILON),
      scale: this.parameters.values[SCALE]![0]!,
      shift: this.parameters.values[SHIFT]![0]!,
      weight: 1 / batch.count,
      ...this.#loss,
      voxels: batch.voxels + offset * this.#voxelCount,
      labels: batch.labels + offset,
      losses: batch.losses + offset,
      probabilities: batch.probabilities + offset,
      gradients: this.#gradientRoom.address,
      gradientBytes: this.parameters.layout.bytes,
    });
  }

  #result({ count, losses, probabilities }: StagedBatch): BatchResult {
    const { memory } = this.#pool;
    return {
      losses: memory.floats(losses, count).slice(),
      probabilities: memory.floats(probabilities, count).slice(),
    };
  }

  /**
   * The kernels give the first convolution's gradient N against the normalised voxels n, and S, the same against ones.
   * Its input is scale · n + shift inside the chunk, so its gradient is scale · N + shift · S; and by the chain rule
   * through weight w the sums of w · N and w · S are the gradients of scale and shift. The input's own gradient, the most
   * expensive of the network, is never needed.
   */
  #addNormalisationGradients(): void {
    const { values, gradients, sums, layout, firstTrained } = this.parameters;
    if (firstTrained > FIRST_KERNEL) return;
    const [scale, shift] = [values[SCALE]![0]!, values[SHIFT]![0]!];
    const weights = values[FIRST_KERNEL]!;
    const kernelGradient = gradients[FIRST_KERNEL]!;
    const channels = BLOCK_CHANNELS[0];
    const byTap = sumsByTap(this.#pool.memory.floats(sums + layout.regions, TAPS * channels), channels);
    let scaleGradient = 0;
    let shiftGradient = 0;
    for (let index = 0; index < weights.length; index++) {
      const againstNormalised = kernelGradient[index]!;
      const againstOnes = byTap[index]!;
      scaleGradient += weights[index]! * againstNormalised;
      shiftGradient += weights[index]! * againstOnes;
      kernelGradient[index] = scale * againstNormalised + shift * againstOnes;
    }
    if (firstTrained > SCALE) return;
    gradients[SCALE]![0] = scaleGradient;
    gradients[SHIFT]![0] = shiftGradient;
  }
}

/** A volume without its border, channels first. */
function readVolume(memory: SharedMemory, name: string, volume: Volume): ModelTensor {
  const { channels, depth, height, width, plane, row, step } = volume;
  const floats = memory.floats(volume.address, volume.size / FLOAT_BYTES);
  const values = new Float32Array(channels * depth * height * width);
  let index = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let d = 0; d < depth; d++) {
      for (let h = 0; h < height; h++) {
        const first = (volume.inner + d * plane + h * row) / FLOAT_BYTES + channel;
        for (let w = 0; w < width; w++) values[index++] = floats[first + (w * step) / FLOAT_BYTES]!;
      }
    }
  }
  return { name, shape: [channels, depth, height, width], values };
}

/** Does the tap (0 before, 1 at, 2 after the position) of a position in `part` (0 first, 1 inner, 2 last) stay inside? */
const staysInside = (tap: number, part: number) => tap + part !== 0 && tap + part !== 4;

/**
 * From the sums `[part of the volume][channel]` of a gradient, its sums `[channel][tap]` over the positions whose tap
 * lies inside the volume.
 */
function sumsByTap(byPart: Float32Array, channels: number): Float64Array {
  const byTap = new Float64Array(channels * TAPS);
  const axes = (index: number) => [Math.floor(index / 9), Math.floor(index / 3) % 3, index % 3];
  for (let tap = 0; tap < TAPS; tap++) {
    for (let part = 0; part < TAPS; part++) {
      const parts = axes(part);
      if (!axes(tap).every((each, axis) => staysInside(each, parts[axis]!))) continue;
      for (let channel = 0; channel < channels; channel++) {
        byTap[channel * TAPS + tap]! += byPart[part * channels + channel]!;
      }
    }
  }
  return byTap;
}
