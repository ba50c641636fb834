import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  InputNormalization,
  LearningRateSchedule,
  Optimizer,
  type LearningSettings,
  type TensorboardSettings,
} from '@lunastream/contracts';
import { MODEL_PARTS, STORAGES, type Storage } from '@lunastream/engine';

/** What commander makes of the flags that say how a model learns, beyond the chapter. */
export interface LearningOptions {
  readonly optimizer: keyof typeof WIRE_OPTIMIZER;
  readonly weightDecay: number;
  readonly clipNorm?: number;
  readonly positiveWeight: number;
  readonly focal?: number;
  readonly inputNormalization: keyof typeof WIRE_NORMALIZATION;
  readonly lrSchedule: keyof typeof WIRE_SCHEDULE;
  readonly lrStepEpochs: number;
  readonly lrStepFactor: number;
  readonly lrWarmup: number;
  readonly weights?: string;
  readonly newHead?: true;
  readonly finetuneDepth: number;
  readonly activations: Storage;
  readonly tensorboard?: true;
  readonly tensorboardSample?: number;
}

const WIRE_OPTIMIZER = { sgd: Optimizer.SGD, adam: Optimizer.ADAM, adamw: Optimizer.ADAMW } as const;
const WIRE_NORMALIZATION = {
  batch: InputNormalization.BATCH,
  fixed: InputNormalization.FIXED,
  'signed-sqrt': InputNormalization.SIGNED_SQRT,
  'signed-log': InputNormalization.SIGNED_LOG,
  tanh: InputNormalization.TANH,
} as const;
const WIRE_SCHEDULE = {
  constant: LearningRateSchedule.CONSTANT,
  step: LearningRateSchedule.STEP,
  cosine: LearningRateSchedule.COSINE,
} as const;
/** As in the paper's experiments (Lin et al. 2017). */
const DEFAULT_FOCUSING = 2;
const MOST_EPOCHS = 1_000_000;

function parsed(accepts: (value: number) => boolean, rule: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !accepts(value)) throw new InvalidArgumentError(`It must be ${rule}.`);
    return value;
  };
}
const above0 = parsed((value) => value > 0 && value < Infinity, 'above 0');
const atLeast0 = parsed((value) => value >= 0 && value < Infinity, 'at least 0');
const epochs = parsed(
  (value) => Number.isInteger(value) && value >= 1 && value <= MOST_EPOCHS,
  `a whole number in 1..${MOST_EPOCHS}`,
);
const ordinal = parsed((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32, 'a whole number');

/** Adds these flags, in a group of their own. */
export function addLearningOptions(command: Command): Command {
  command.optionsGroup('Learning, beyond the chapter:');
  return addTensorboardOptions(addFineTuningOptions(addScheduleOptions(addStepOptions(command))));
}

function addStepOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--optimizer <name>', 'what steps: SGD with momentum, Adam or AdamW')
        .default('sgd')
        .choices(Object.keys(WIRE_OPTIMIZER)),
    )
    .addOption(
      new Option('--weight-decay <share>', 'L2 penalty; with adamw apart from the gradient')
        .default(0)
        .argParser(atLeast0),
    )
    .addOption(
      new Option('--clip-norm <norm>', 'scale gradients down to this norm, all together').argParser(above0),
    )
    .addOption(
      new Option('--positive-weight <factor>', 'weight of a nodule against another sample in the loss')
        .default(1)
        .argParser(above0),
    )
    .addOption(
      new Option('--focal [gamma]', 'focal loss: samples that are right already count less')
        .preset(String(DEFAULT_FOCUSING))
        .argParser(atLeast0),
    )
    .addOption(
      new Option(
        '--input-normalization <name>',
        'batch statistics as in the chapter, or (HU + 600) / 390 as it is (fixed) or bent',
      )
        .default('batch')
        .choices(Object.keys(WIRE_NORMALIZATION)),
    )
    .addOption(
      new Option(
        '--activations <type>',
        'how the webgpu engine keeps what layers give: float16 takes half the memory for it',
      )
        .default('float32')
        .choices(STORAGES),
    );
}

function addScheduleOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--lr-schedule <name>',
        'how the learning rate changes: not, in steps, or along a cosine to 0',
      )
        .default('constant')
        .choices(Object.keys(WIRE_SCHEDULE)),
    )
    .addOption(new Option('--lr-step-epochs <count>', 'epochs between steps').default(10).argParser(epochs))
    .addOption(
      new Option('--lr-step-factor <factor>', 'what a step multiplies by').default(0.1).argParser(above0),
    )
    .addOption(
      new Option('--lr-warmup <epochs>', 'epochs, also parts of one, in which the rate first rises in a line')
        .default(0)
        .argParser(atLeast0),
    );
}

function addFineTuningOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--weights <file>',
        "start from these weights: safetensors with PyTorch's names, or a run's checkpoints/best.safetensors",
      ).conflicts('resume'),
    )
    .option('--new-head', 'draw the last layer anew all the same: for another question, or another --chunk')
    .addOption(
      new Option(
        '--finetune-depth <parts>',
        'parts of the model that train, from the head: 1 the head alone, 2 and block 4, … 6 everything',
      )
        .default(MODEL_PARTS.length)
        .argParser(
          parsed(
            (value) => Number.isInteger(value) && value >= 1 && value <= MODEL_PARTS.length,
            `a whole number in 1..${MODEL_PARTS.length}`,
          ),
        ),
    );
}

function addTensorboardOptions(command: Command): Command {
  return command
    .option('--tensorboard', 'also write TensorBoard event files, into tensorboard/ of the run folder')
    .addOption(
      new Option(
        '--tensorboard-sample <ordinal>',
        'validation sample whose activations TensorBoard shows (default: the first nodule); implies --tensorboard',
      )
        .argParser(ordinal)
        .implies({ tensorboard: true }),
    );
}

/** The flags as settings of the training service. */
export function toLearningSettings(options: LearningOptions): LearningSettings {
  return {
    optimizer: WIRE_OPTIMIZER[options.optimizer],
    weightDecay: options.weightDecay,
    largestGradientNorm: options.clipNorm ?? 0,
    positiveWeight: options.positiveWeight,
    focusing: options.focal ?? 0,
    inputNormalization: WIRE_NORMALIZATION[options.inputNormalization],
    schedule: WIRE_SCHEDULE[options.lrSchedule],
    stepEpochs: options.lrStepEpochs,
    stepFactor: options.lrStepFactor,
    warmupEpochs: options.lrWarmup,
    fineTuneDepth: options.finetuneDepth,
    float16Activations: options.activations === 'float16',
  };
}

export function toTensorboardSettings(options: LearningOptions): TensorboardSettings | undefined {
  return options.tensorboard ? { sample: options.tensorboardSample } : undefined;
}
