import { InvalidEngineSettingsError } from './errors.ts';
import { INPUT_NORMALISATIONS, type InputNormalisation } from './input-normalisation.ts';
import type { LossSettings } from './loss.ts';
import { MODEL_PARTS, SMALLEST_CHUNK_SIDE, type ChunkShape } from './luna-model.ts';
import { OPTIMIZER_NAMES, type OptimizerName, type OptimizerSettings } from './optimizers.ts';

export const STORAGES = ['float32', 'float16'] as const;
export type Storage = (typeof STORAGES)[number];

/** What every engine is told. */
export interface EngineSettings {
  /** A name from `engineNames()`, or `auto` for the fastest that runs here. */
  readonly engine: string;
  /** Input size in voxels, each side at least 16. */
  readonly chunkShape: ChunkShape;
  /** Step size of SGD, above 0; chapter 12 uses 0.001. */
  readonly learningRate: number;
  /** Share of the velocity that a step keeps, 0 up to but not including 1; chapter 12 uses 0.99. */
  readonly momentum: number;
  /** Unsigned 32-bit seed of the initial weights. */
  readonly runSeed: number;
  /** Default: `sgd`. */
  readonly optimizer?: OptimizerName;
  /** Weight decay, at least 0; what it means depends on the optimizer. Default: 0. */
  readonly weightDecay?: number;
  /** Largest norm of all gradients together, above 0; larger ones are scaled down to it. Default: none. */
  readonly largestGradientNorm?: number;
  /** Weight of a positive in the loss, above 0. Default: 1. */
  readonly positiveWeight?: number;
  /** Focal loss's gamma, at least 0. Default: 0, plain cross entropy. */
  readonly focusing?: number;
  /** Default: `batch`. */
  readonly inputNormalisation?: InputNormalisation;
  /**
   * Parts of the model that train, counted from the head: 1 the head alone, 2 the head and block 4, up to 6, everything. The
   * others keep their weights, bit by bit; batch normalisation measures batches all the same, as in PyTorch. Default: 6.
   */
  readonly fineTuneDepth?: number;
  /** Threads of the simd engine, 1 to 256; results do not depend on it. Default: the cores that are available. */
  readonly threads?: number;
  /** What the tfjs engine computes with. Default: `wasm`, or `cpu` where WebAssembly fails. */
  readonly backend?: 'wasm' | 'cpu';
  /**
   * How the webgpu engine keeps what layers give: with `float16` in half the memory for that, rounded to 11 bits. Sums, gradients,
   * weights and optimizer are float32 all the same. Default: `float32`.
   */
  readonly activationStorage?: Storage;
}

/** The settings by what they rule, defaults filled in. */
export interface TrainingRules {
  readonly optimizer: OptimizerSettings;
  readonly largestGradientNorm: number | undefined;
  readonly loss: LossSettings;
  readonly inputNormalisation: InputNormalisation;
  /** 1 to 6. */
  readonly fineTuneDepth: number;
}

export function trainingRules(settings: EngineSettings): TrainingRules {
  const { optimizer = 'sgd', momentum, weightDecay = 0, positiveWeight = 1, focusing = 0 } = settings;
  return {
    optimizer: { optimizer, momentum, weightDecay },
    largestGradientNorm: settings.largestGradientNorm,
    loss: { positiveWeight, focusing },
    inputNormalisation: settings.inputNormalisation ?? 'batch',
    fineTuneDepth: settings.fineTuneDepth ?? MODEL_PARTS.length,
  };
}

const LARGEST_SEED = 0xffff_ffff;
const MOST_THREADS = 256;

const isPositive = (value: number) => value > 0 && value < Infinity;
const isNotNegative = (value: number) => value >= 0 && value < Infinity;

/** Faults of what rules the steps. */
function trainingFaults(settings: EngineSettings): string[] {
  const faults: string[] = [];
  const { learningRate, momentum, largestGradientNorm } = settings;
  const { optimizer, loss, inputNormalisation, fineTuneDepth } = trainingRules(settings);
  if (!isPositive(learningRate)) {
    faults.push(`learning rate must be a finite number above 0, got ${learningRate}`);
  }
  if (!(momentum >= 0 && momentum < 1)) faults.push(`momentum must be in [0, 1), got ${momentum}`);
  if (!OPTIMIZER_NAMES.includes(optimizer.optimizer)) {
    faults.push(`optimizer must be one of ${OPTIMIZER_NAMES.join(', ')}, got ${optimizer.optimizer}`);
  }
  if (!isNotNegative(optimizer.weightDecay)) {
    faults.push(`weight decay must be a finite number of at least 0, got ${optimizer.weightDecay}`);
  }
  if (largestGradientNorm !== undefined && !isPositive(largestGradientNorm)) {
    faults.push(`largest gradient norm must be a finite number above 0, got ${largestGradientNorm}`);
  }
  if (!isPositive(loss.positiveWeight)) {
    faults.push(`weight of positives must be a finite number above 0, got ${loss.positiveWeight}`);
  }
  if (!isNotNegative(loss.focusing)) {
    faults.push(`focusing must be a finite number of at least 0, got ${loss.focusing}`);
  }
  if (!INPUT_NORMALISATIONS.includes(inputNormalisation)) {
    faults.push(
      `input normalisation must be one of ${INPUT_NORMALISATIONS.join(', ')}, got ${inputNormalisation}`,
    );
  }
  if (!(Number.isInteger(fineTuneDepth) && fineTuneDepth >= 1 && fineTuneDepth <= MODEL_PARTS.length)) {
    faults.push(`fine-tuning depth must be an integer in 1..${MODEL_PARTS.length}, got ${fineTuneDepth}`);
  }
  return faults;
}

/**
 * Checks settings that come from people or from the wire and returns them.
 * @throws InvalidEngineSettingsError with every fault, not only the first.
 */
export function compileEngineSettings(
  settings: EngineSettings,
  engineNames: readonly string[],
): EngineSettings {
  const { engine, chunkShape, runSeed, threads, backend, activationStorage } = settings;
  const faults: string[] = [];
  if (engine !== 'auto' && !engineNames.includes(engine)) {
    faults.push(`engine must be one of auto, ${engineNames.join(', ')}, got ${engine}`);
  }
  for (const axis of ['depth', 'height', 'width'] as const) {
    const side = chunkShape[axis];
    if (!Number.isInteger(side) || side < SMALLEST_CHUNK_SIDE) {
      faults.push(
        `chunk ${axis} must be a whole number of at least ${SMALLEST_CHUNK_SIDE} voxels ` +
          `(the network halves it four times), got ${side}`,
      );
    }
  }
  faults.push(...trainingFaults(settings));
  if (!Number.isInteger(runSeed) || runSeed < 0 || runSeed > LARGEST_SEED) {
    faults.push(`run seed must be an integer in 0..${LARGEST_SEED}, got ${runSeed}`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    faults.push(`threads must be an integer in 1..${MOST_THREADS}, got ${threads}`);
  }
  if (backend !== undefined && backend !== 'wasm' && backend !== 'cpu') {
    faults.push(`backend must be wasm or cpu, got ${String(backend)}`);
  }
  if (activationStorage !== undefined && !STORAGES.includes(activationStorage)) {
    faults.push(`activation storage must be one of ${STORAGES.join(', ')}, got ${String(activationStorage)}`);
  }
  if (faults.length > 0) throw new InvalidEngineSettingsError(faults);
  return settings;
}
