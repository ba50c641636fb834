import { InvalidArgumentError, Option, type Command } from 'commander';
import { CHAPTER_AUGMENTATION, NO_AUGMENTATION, type AugmentationSettings } from '@lunastream/augmentation';
import {
  BestScore,
  BorderRule as WireBorderRule,
  Labels,
  Sampler,
  SplitRule,
  VoxelType,
  type RunSettings,
} from '@lunastream/contracts';
import { compileRatioSchedule, RatioScheduleError } from '@lunastream/dataset';
import { BORDER_RULES, parseShape, type BorderRule, type Shape } from '@lunastream/volume';
import {
  addLearningOptions,
  toLearningSettings,
  toTensorboardSettings,
  type LearningOptions,
} from './learning-options.ts';

/** What commander makes of the flags that decide a run's result. */
export interface TrainOptions extends LearningOptions {
  readonly batchSize: number;
  readonly epochs: number;
  readonly balanced?: true;
  /** A number, or a schedule of the epoch. */
  readonly ratio?: string;
  readonly sampler: 'shuffled' | 'weighted';
  readonly epochLength?: number;
  readonly augmented?: true;
  readonly augmentFlip?: true;
  readonly augmentOffset?: number | true;
  readonly augmentScale?: number | true;
  readonly augmentRotate?: true;
  readonly augmentNoise?: number | true;
  readonly augmentElastic?: number;
  readonly augmentHuShift?: number;
  readonly augmentHuScale?: number;
  readonly mixup?: number;
  readonly margin?: boolean;
  readonly voxelType: 'float32' | 'float16';
  readonly compat?: true;
  readonly tbPrefix: string;
  readonly comment: string;
  readonly seed: number;
  readonly chunk: Shape;
  readonly border: BorderRule;
  readonly lr: number;
  readonly momentum: number;
  readonly engine: string;
  readonly threads?: number;
  readonly checkpointBatches?: number;
  readonly threshold: number;
  readonly split: 'series' | 'candidate';
  readonly labels: keyof typeof WIRE_LABELS;
  readonly score: keyof typeof WIRE_SCORE;
  readonly validationCadence: number;
  readonly earlyStop: number;
}

/** The network halves each axis four times. */
const SMALLEST_CHUNK_AXIS = 16;
/** As in the paper's experiments on images (Zhang et al. 2018). */
const DEFAULT_MIXUP_ALPHA = 0.2;
const WIRE_SAMPLER = { shuffled: Sampler.SHUFFLED, weighted: Sampler.WEIGHTED } as const;
const WIRE_LABELS = { nodule: Labels.NODULE, malignancy: Labels.MALIGNANCY } as const;
const WIRE_SPLIT = { series: SplitRule.SERIES, candidate: SplitRule.CANDIDATE } as const;
export const WIRE_VOXEL_TYPE = { float32: VoxelType.FLOAT32, float16: VoxelType.FLOAT16 } as const;
const WIRE_BORDER = { shift: WireBorderRule.SHIFT, 'pad-air': WireBorderRule.PAD_AIR } as const;
const WIRE_SCORE = {
  f1: BestScore.F1,
  f2: BestScore.F2,
  f05: BestScore.F05,
  recall: BestScore.RECALL,
  auc: BestScore.AUC,
  'recall-at-fpr': BestScore.RECALL_AT_FPR,
} as const;

/** Parses a whole number within bounds for commander. */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`It must be a whole number in ${low}..${high}.`);
    }
    return value;
  };
}

/** Parses a ratio or a schedule of it for commander; the trainer checks what it gives in each epoch. */
function ratioSchedule(text: string): string {
  try {
    const schedule = compileRatioSchedule(text);
    schedule.ratioAt(1);
    return schedule.text;
  } catch (error) {
    if (!(error instanceof RatioScheduleError)) throw error;
    throw new InvalidArgumentError(error.message);
  }
}

/** Parses a number that passes `accepts` for commander. */
export function decimal(accepts: (value: number) => boolean, rule: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !accepts(value)) throw new InvalidArgumentError(`It must be ${rule}.`);
    return value;
  };
}

/** Parses depth x height x width, each at least `smallestAxis`, for commander. */
export function shape(smallestAxis: number): (text: string) => Shape {
  const rule = `It must be depth x height x width as in 32x48x48, each at least ${smallestAxis}.`;
  return (text) => {
    try {
      const parsed = parseShape(text);
      if (Math.min(parsed.depth, parsed.height, parsed.width) >= smallestAxis) return parsed;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    throw new InvalidArgumentError(rule);
  };
}

/** `--border`: what happens to chunks that would reach beyond their scan. */
export function borderOption(): Option {
  return new Option(
    '--border <rule>',
    'chunks at the border of a scan: moved inside as in the chapter (shift), or filled up with air (pad-air)',
  )
    .default(BORDER_RULES[0])
    .choices(BORDER_RULES);
}

/** Adds the flags that decide a run's result: the chapter's by name and default, then ours. */
export function addTrainOptions(command: Command): Command {
  return addLearningOptions(addCheckpointOptions(addOurOptions(addChapterOptions(command))));
}

function addChapterOptions(command: Command): Command {
  return command
    .optionsGroup('Training, as in the chapter:')
    .addOption(
      new Option('--batch-size <samples>', 'samples in a training step')
        .default(32)
        .argParser(wholeNumber(1, 4096)),
    )
    .addOption(
      new Option('--epochs <count>', 'epochs to train').default(1).argParser(wholeNumber(1, 1_000_000)),
    )
    .option('--balanced', 'train on as many positives as negatives (--ratio 1)')
    .option('--augmented', 'switch all five transforms on')
    .option('--augment-flip', 'mirror each axis with probability 1/2')
    .addOption(
      new Option('--augment-offset [fraction]', 'shift by up to this fraction of half the chunk')
        .preset(String(CHAPTER_AUGMENTATION.offset))
        .argParser(decimal((value) => value >= 0 && value <= 1, 'in 0..1')),
    )
    .addOption(
      new Option('--augment-scale [fraction]', 'change the size by up to this fraction')
        .preset(String(CHAPTER_AUGMENTATION.scale))
        .argParser(decimal((value) => value >= 0 && value < 1, 'at least 0 and below 1')),
    )
    .option('--augment-rotate', 'rotate about the head-foot axis')
    .addOption(
      new Option('--augment-noise [hu]', 'add Gaussian noise of this standard deviation')
        .preset(String(CHAPTER_AUGMENTATION.noiseHu))
        .argParser(decimal((value) => value >= 0 && value < Infinity, 'a number of HU, at least 0')),
    )
    .option('--tb-prefix <name>', 'first folder level of the run', 'p2ch12')
    .option('--comment <name>', "last part of the run's name", 'dlwpt');
}

function addOurOptions(command: Command): Command {
  addFurtherTransforms(command).optionsGroup('Training, beyond the chapter:');
  return addScoreOptions(addEngineOptions(addEpochOptions(command)));
}

/** What an epoch shows. */
function addEpochOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--seed <number>', 'seed of everything random')
        .default(1)
        .argParser(wholeNumber(0, 0xffff_ffff)),
    )
    .addOption(
      new Option(
        '--ratio <schedule>',
        "negatives per positive; 0 keeps the natural order; by epoch as 1,1,4 or 'epoch<5 ? 1 : 4'",
      ).argParser(ratioSchedule),
    )
    .addOption(
      new Option(
        '--sampler <name>',
        'shuffled by --ratio, or weighted: drawn at random, both classes equally likely',
      )
        .default('shuffled')
        .choices(Object.keys(WIRE_SAMPLER)),
    )
    .addOption(
      new Option(
        '--epoch-length <samples>',
        'training samples an epoch (default: all of them, when balanced 200000)',
      ).argParser(wholeNumber(1, 10_000_000)),
    )
    .addOption(
      new Option('--chunk <shape>', 'depth x height x width of a sample in voxels, each at least 16')
        .default({ depth: 32, height: 48, width: 48 }, '32x48x48')
        .argParser(shape(SMALLEST_CHUNK_AXIS)),
    )
    .addOption(borderOption());
}

/** How it is learnt. */
function addEngineOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--lr <rate>', 'learning rate')
        .default(0.001)
        .argParser(decimal((value) => value > 0 && value < Infinity, 'above 0')),
    )
    .addOption(
      new Option('--momentum <share>', 'momentum')
        .default(0.99)
        .argParser(decimal((value) => value >= 0 && value < 1, 'at least 0 and below 1')),
    )
    .option(
      '--engine <name>',
      'what computes: auto, simd, tensorflow (needs @tensorflow/tfjs-node-gpu or tfjs-node), webgpu or tfjs',
      'auto',
    )
    .addOption(
      new Option(
        '--threads <count>',
        'threads of the simd engine (default: one per core); results do not depend on it',
      ).argParser(wholeNumber(1, 256)),
    );
}

/** How it is judged. */
function addScoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--threshold <probability>', 'a probability above this is a positive')
        .default(0.5)
        .argParser(decimal((value) => value >= 0 && value <= 1, 'in 0..1')),
    )
    .addOption(
      new Option('--split <rule>', 'validate on every tenth patient (series), or candidate as in the chapter')
        .default('series')
        .choices(['series', 'candidate']),
    )
    .addOption(
      new Option(
        '--labels <what>',
        'what is learnt: which candidates are nodules, or which nodules are malignant (annotations_with_malignancy.csv)',
      )
        .default('nodule')
        .choices(Object.keys(WIRE_LABELS)),
    )
    .addOption(
      new Option('--score <name>', 'validation score that decides the best checkpoint')
        .default('f1')
        .choices(Object.keys(WIRE_SCORE)),
    )
    .addOption(
      new Option(
        '--validation-cadence <epochs>',
        'validate every so many epochs, and in the first and the last one',
      )
        .default(1)
        .argParser(wholeNumber(1, 1_000_000)),
    )
    .addOption(
      new Option(
        '--early-stop <validations>',
        'end after so many validations without a better score; 0 never does',
      )
        .default(0)
        .argParser(wholeNumber(0, 1_000_000)),
    );
}

function addCheckpointOptions(command: Command): Command {
  return command.addOption(
    new Option(
      '--checkpoint-batches <count>',
      'also keep a checkpoint after every so many training batches (default: after epochs only)',
    ).argParser(wholeNumber(1, 1_000_000_000)),
  );
}

function addFurtherTransforms(command: Command): Command {
  const strength = (flags: string, text: string, highest: number) =>
    new Option(flags, text).argParser(decimal((value) => value >= 0 && value <= highest, `in 0..${highest}`));
  return command
    .optionsGroup('Samples, beyond the chapter (--augmented does not switch these on):')
    .addOption(strength('--augment-elastic <voxels>', 'deform by up to this many voxels along each axis', 6))
    .addOption(strength('--augment-hu-shift <hu>', 'make all voxels lighter or darker by up to this', 1000))
    .addOption(
      strength('--augment-hu-scale <fraction>', 'change the contrast to air by up to this fraction', 0.9),
    )
    .addOption(
      new Option('--mixup [alpha]', 'mix nodules with other samples, by weights from Beta(alpha, alpha)')
        .preset(String(DEFAULT_MIXUP_ALPHA))
        .argParser(decimal((value) => value === 0 || (value >= 0.01 && value <= 10), '0 or in 0.01..10')),
    )
    .option('--margin', 'cut larger chunks, so that no sample repeats a border (default, unless --compat)')
    .option('--no-margin', 'repeat the border where a transform looks beyond the chunk, as the chapter does')
    .option('--compat', "the chapter's own ways where ours are better: --no-margin")
    .addOption(
      new Option('--voxel-type <type>', 'how workers send samples; float16 halves the traffic and rounds')
        .default('float32')
        .choices(['float32', 'float16']),
    );
}

/** The augmentation that the flags ask for: `--augmented` switches the chapter's on, single flags one each. */
export function toAugmentation(options: TrainOptions): AugmentationSettings {
  const base = options.augmented ? CHAPTER_AUGMENTATION : NO_AUGMENTATION;
  const strength = (flag: number | true | undefined, fallback: number) =>
    typeof flag === 'number' ? flag : fallback;
  return {
    flip: options.augmentFlip ?? base.flip,
    offset: strength(options.augmentOffset, base.offset),
    scale: strength(options.augmentScale, base.scale),
    rotate: options.augmentRotate ?? base.rotate,
    noiseHu: strength(options.augmentNoise, base.noiseHu),
    elasticVoxels: options.augmentElastic ?? 0,
    huShift: options.augmentHuShift ?? 0,
    huScale: options.augmentHuScale ?? 0,
    mixupAlpha: options.mixup ?? 0,
  };
}

/** A constant ratio, or a schedule in its place. */
function toRatio({ ratio, balanced }: TrainOptions): Pick<RunSettings, 'ratio' | 'ratioSchedule'> {
  if (ratio === undefined) return { ratio: balanced ? 1 : 0, ratioSchedule: '' };
  return /^\d+$/.test(ratio)
    ? { ratio: Number(ratio), ratioSchedule: '' }
    : { ratio: 0, ratioSchedule: ratio };
}

/** The flags as settings of the training service. */
export function toRunSettings(options: TrainOptions, dataset: string, resumeRunId: string): RunSettings {
  return {
    dataset,
    batchSize: options.batchSize,
    epochs: options.epochs,
    ...toRatio(options),
    sampler: WIRE_SAMPLER[options.sampler],
    epochLength: options.epochLength ?? 0,
    augmentation: toAugmentation(options),
    margin: options.margin ?? options.compat !== true,
    voxelType: WIRE_VOXEL_TYPE[options.voxelType],
    tbPrefix: options.tbPrefix,
    comment: options.comment,
    seed: options.seed,
    chunkShape: options.chunk,
    border: WIRE_BORDER[options.border],
    learningRate: options.lr,
    momentum: options.momentum,
    engine: options.engine,
    threads: options.threads ?? 0,
    checkpointBatches: options.checkpointBatches ?? 0,
    threshold: options.threshold,
    split: WIRE_SPLIT[options.split],
    labels: WIRE_LABELS[options.labels],
    score: WIRE_SCORE[options.score],
    validationCadence: options.validationCadence,
    earlyStop: options.earlyStop,
    learning: toLearningSettings(options),
    tensorboard: toTensorboardSettings(options),
    initialWeights: undefined,
    resumeRunId,
  };
}
