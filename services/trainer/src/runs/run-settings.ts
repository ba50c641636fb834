import {
  AugmentationSettingsError,
  compileAugmentationSettings,
  type AugmentationSettings,
  type SampleVoxelType,
} from '@lunastream/augmentation';
import {
  compileRatioSchedule,
  LABELS,
  LARGEST_RATIO,
  RatioScheduleError,
  SAMPLERS,
  type Labels,
  type Sampler,
} from '@lunastream/dataset';
import { BEST_SCORES, type BestScore } from '@lunastream/metrics';
import { BORDER_RULES, formatShape, type BorderRule, type Shape } from '@lunastream/volume';
import { initialWeightsFaults, type InitialWeights } from './initial-weights.ts';
import { CHAPTER_LEARNING, learningFaults, type LearningSettings } from './learning-settings.ts';

/** Everything that decides the result of a run; recorded whole in run.json and in every checkpoint. */
export interface RunSettings {
  /** Name of the data set in the chunk cache's configuration. */
  readonly dataset: string;
  /** Samples a training step. */
  readonly batchSize: number;
  /** Epochs in all, resumed ones included. */
  readonly epochs: number;
  /** Negatives per positive in training; 0 keeps the natural order and length. */
  readonly ratio: number;
  /** The ratio as a function of the epoch, in place of `ratio`: a list or an expression (libs/dataset). */
  readonly ratioSchedule: string | undefined;
  /** How candidates become the samples of an epoch. */
  readonly sampler: Sampler;
  /** Training samples an epoch; undefined shows every candidate once, or 200,000 in epochs that are balanced. */
  readonly epochLength: number | undefined;
  /** Transforms of training samples. */
  readonly augmentation: AugmentationSettings;
  /** Training samples are made from larger chunks, so that they repeat no border. */
  readonly margin: boolean;
  /** How workers send samples; float16 rounds voxels, so that results differ a little. */
  readonly voxelType: SampleVoxelType;
  /** What happens to chunks that would reach beyond their scan. */
  readonly border: BorderRule;
  /** First folder level of the run. */
  readonly tbPrefix: string;
  /** Last part of the run's name. */
  readonly comment: string;
  readonly seed: number;
  readonly chunkShape: Shape;
  readonly learningRate: number;
  readonly momentum: number;
  readonly engine: string;
  /** Threads of an engine that computes on the CPU; undefined takes one per core. Results do not depend on it. */
  readonly threads: number | undefined;
  /** Training batches between checkpoints within an epoch; 0 makes one after every epoch only. Results do not depend on it. */
  readonly checkpointBatches: number;
  /** A sample is predicted positive when its probability is above this. */
  readonly threshold: number;
  readonly split: 'series' | 'candidate';
  /** Validation score that decides the best checkpoint. */
  readonly score: BestScore;
  /** Epochs from one validation to the next; the first and the last are validated in any case. */
  readonly validationCadence: number;
  /** Validations without a better score after which the run ends; 0 trains all epochs. */
  readonly earlyStop: number;
  readonly learning: LearningSettings;
  /** Writes event files. Results do not depend on it. */
  readonly tensorboard: TensorboardSettings | undefined;
  /** Weights that the run starts from; undefined draws them from the seed. */
  readonly initialWeights: InitialWeights | undefined;
  /** What is learnt. */
  readonly labels: Labels;
}

/** What TensorBoard is shown beside the scores. */
export interface TensorboardSettings {
  /** Ordinal of the validation sample whose activations are shown; undefined takes the first nodule's. */
  readonly sample: number | undefined;
}

/** What settings meant that were recorded before the setting came: such runs can be resumed. */
const LATER_SETTINGS = {
  ratioSchedule: undefined,
  sampler: 'shuffled',
  validationCadence: 1,
  earlyStop: 0,
  learning: CHAPTER_LEARNING,
  tensorboard: undefined,
  initialWeights: undefined,
  labels: 'nodule',
} as const satisfies Partial<RunSettings>;

/** Settings that an earlier version may have recorded, with what it had no setting for. */
export function fillLaterSettings(recorded: RunSettings): RunSettings {
  const learning = { ...CHAPTER_LEARNING, ...recorded.learning };
  return { ...LATER_SETTINGS, ...recorded, learning };
}

/** Settings that cannot be trained; `faults` has a line for each. */
export class RunSettingsError extends Error {
  readonly tag = 'RunSettingsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`Cannot start a run: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

const VOXEL_TYPES: readonly SampleVoxelType[] = ['float32', 'float16'];
const SPLIT_RULES: readonly RunSettings['split'][] = ['series', 'candidate'];
/** Letters that are safe in a folder's name on every system. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const MOST_THREADS = 256;
const MOST_EPOCHS = 1_000_000;
/** A plan holds a few dozen bytes a sample; fifty times the chapter's 200,000 fit every trainer. */
const LONGEST_EPOCH = 10_000_000;
const SMALLEST_AXIS = 16;
const LARGEST_AXIS = 128;

function integerFault(name: string, value: number, low: number, high: number): string[] {
  const good = Number.isInteger(value) && value >= low && value <= high;
  return good ? [] : [`${name} must be a whole number in ${low}..${high}, got ${value}`];
}

/** An enum value of the wire that this version does not know arrives as undefined. */
function choiceFault(name: string, value: string | undefined, choices: readonly string[]): string[] {
  const good = value !== undefined && choices.includes(value);
  return good ? [] : [`${name} must be one of ${choices.join(', ')}, got ${value ?? 'an unknown value'}`];
}

function augmentationFaults(settings: AugmentationSettings): string[] {
  try {
    compileAugmentationSettings(settings);
    return [];
  } catch (error) {
    if (error instanceof AugmentationSettingsError) return [error.message];
    throw error;
  }
}

/** A schedule must give a ratio in every epoch of the run. */
function balanceFaults({ ratio, ratioSchedule, sampler, epochs }: RunSettings): string[] {
  const faults = [
    ...integerFault('ratio', ratio, 0, LARGEST_RATIO),
    ...choiceFault('sampler', sampler, SAMPLERS),
    ...(ratio > 0 && ratioSchedule !== undefined
      ? [`ratio must be 0 beside a ratio schedule, got ${ratio}`]
      : []),
    ...(sampler === 'weighted' && (ratio > 0 || ratioSchedule !== undefined)
      ? [`ratio must be 0 for the weighted sampler, which balances by itself, got ${ratioSchedule ?? ratio}`]
      : []),
  ];
  if (ratioSchedule === undefined) return faults;
  try {
    const schedule = compileRatioSchedule(ratioSchedule);
    for (let epoch = 1; epoch <= Math.min(epochs, MOST_EPOCHS); epoch++) schedule.ratioAt(epoch);
  } catch (error) {
    if (!(error instanceof RatioScheduleError)) throw error;
    faults.push(error.message);
  }
  return faults;
}

/**
 * Returns `settings` when a run can be made of them.
 * @throws RunSettingsError with all faults at once. Engine names are left to the engine, which knows them.
 */
export function compileRunSettings(settings: RunSettings): RunSettings {
  const { depth, height, width } = settings.chunkShape;
  const badAxis = [depth, height, width].some(
    (size) => !Number.isInteger(size) || size < SMALLEST_AXIS || size > LARGEST_AXIS,
  );
  const faults = [
    ...integerFault('batch size', settings.batchSize, 1, 4096),
    ...integerFault('epochs', settings.epochs, 1, MOST_EPOCHS),
    ...balanceFaults(settings),
    ...integerFault('validation cadence', settings.validationCadence, 1, MOST_EPOCHS),
    ...integerFault('early stop', settings.earlyStop, 0, MOST_EPOCHS),
    ...(settings.epochLength === undefined
      ? []
      : integerFault('epoch length', settings.epochLength, 1, LONGEST_EPOCH)),
    ...integerFault('seed', settings.seed, 0, 0xffff_ffff),
    ...(settings.threads === undefined ? [] : integerFault('threads', settings.threads, 1, MOST_THREADS)),
    ...integerFault('checkpoint batches', settings.checkpointBatches, 0, 1_000_000_000),
    ...(badAxis
      ? [
          `each axis of chunk must be ${SMALLEST_AXIS}..${LARGEST_AXIS} voxels, got ${formatShape(settings.chunkShape)}`,
        ]
      : []),
    ...(settings.learningRate > 0 && settings.learningRate < Infinity
      ? []
      : [`learning rate must be above 0, got ${settings.learningRate}`]),
    ...(settings.momentum >= 0 && settings.momentum < 1
      ? []
      : [`momentum must be at least 0 and below 1, got ${settings.momentum}`]),
    ...(settings.threshold >= 0 && settings.threshold <= 1
      ? []
      : [`threshold must be in 0..1, got ${settings.threshold}`]),
    ...choiceFault('voxel type', settings.voxelType, VOXEL_TYPES),
    ...choiceFault('split', settings.split, SPLIT_RULES),
    ...choiceFault('labels', settings.labels, LABELS),
    ...choiceFault('border', settings.border, BORDER_RULES),
    ...choiceFault('score', settings.score, BEST_SCORES),
    ...(NAME.test(settings.tbPrefix) ? [] : [nameFault('tb prefix', settings.tbPrefix)]),
    ...(NAME.test(settings.comment) ? [] : [nameFault('comment', settings.comment)]),
    ...augmentationFaults(settings.augmentation),
    ...learningFaults(settings.learning),
    ...initialWeightsFaults(settings.initialWeights),
  ];
  if (faults.length > 0) throw new RunSettingsError(faults);
  return settings;
}

function nameFault(name: string, value: string): string {
  return `${name} must be 1..100 letters, digits, '.', '_' or '-', starting with a letter, digit or '_', got '${value}'`;
}
