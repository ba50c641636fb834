import {
  CONSTANT_RATE,
  INPUT_NORMALISATIONS,
  LEARNING_RATE_SCHEDULES,
  MODEL_PARTS,
  OPTIMIZER_NAMES,
  STORAGES,
  type EngineSettings,
  type InputNormalisation,
  type LearningRateSchedule,
  type OptimizerName,
  type Storage,
} from '@lunastream/engine';

/** How the model learns, beyond learning rate and momentum. */
export interface LearningSettings {
  readonly optimizer: OptimizerName;
  readonly weightDecay: number;
  /** Larger gradients are scaled down to it, all together; undefined leaves them. */
  readonly largestGradientNorm: number | undefined;
  /** Weight of a positive against a negative in the loss. */
  readonly positiveWeight: number;
  /** Gamma of the focal loss; 0 is plain cross entropy. */
  readonly focusing: number;
  readonly inputNormalisation: InputNormalisation;
  readonly schedule: LearningRateSchedule;
  /** Parts of the model that train, counted from the head: 1 is the head alone, 6 everything. */
  readonly fineTuneDepth: number;
  /** How the webgpu engine keeps what layers give. */
  readonly activationStorage: Storage;
}

/** Parts of the model, all of which train unless told otherwise. */
export const ALL_PARTS = MODEL_PARTS.length;

/** The chapter's way. */
export const CHAPTER_LEARNING: LearningSettings = {
  optimizer: 'sgd',
  weightDecay: 0,
  largestGradientNorm: undefined,
  positiveWeight: 1,
  focusing: 0,
  inputNormalisation: 'batch',
  schedule: CONSTANT_RATE,
  fineTuneDepth: ALL_PARTS,
  activationStorage: 'float32',
};

/** The part of an engine's settings that these are. */
export function toEngineRules(
  learning: LearningSettings,
): Pick<
  EngineSettings,
  | 'optimizer'
  | 'weightDecay'
  | 'largestGradientNorm'
  | 'positiveWeight'
  | 'focusing'
  | 'inputNormalisation'
  | 'fineTuneDepth'
  | 'activationStorage'
> {
  const { optimizer, weightDecay, largestGradientNorm, positiveWeight, focusing } = learning;
  const { inputNormalisation, fineTuneDepth, activationStorage } = learning;
  return {
    ...{ optimizer, weightDecay, positiveWeight, focusing },
    ...{ inputNormalisation, fineTuneDepth, activationStorage },
    ...(largestGradientNorm === undefined ? {} : { largestGradientNorm }),
  };
}

const isPositive = (value: number) => value > 0 && value < Infinity;
const isNotNegative = (value: number) => value >= 0 && value < Infinity;

/** A line for each setting that no run can be made with. An enum value that is unknown arrives as undefined. */
export function learningFaults(learning: LearningSettings): string[] {
  const { optimizer, largestGradientNorm, inputNormalisation, schedule, fineTuneDepth } = learning;
  const choice = (name: string, value: string | undefined, choices: readonly string[]) =>
    value !== undefined && choices.includes(value)
      ? []
      : [`${name} must be one of ${choices.join(', ')}, got ${value ?? 'an unknown value'}`];
  const number = (name: string, value: number, isGood: boolean, rule: string) =>
    isGood ? [] : [`${name} must be ${rule}, got ${value}`];
  const atLeast0 = (name: string, value: number) =>
    number(name, value, isNotNegative(value), 'a finite number of at least 0');
  const above0 = (name: string, value: number) =>
    number(name, value, isPositive(value), 'a finite number above 0');
  const { stepEpochs } = schedule;
  const isWhole = Number.isInteger(stepEpochs) && stepEpochs >= 1;
  const isDepth = Number.isInteger(fineTuneDepth) && fineTuneDepth >= 1 && fineTuneDepth <= ALL_PARTS;
  return [
    ...choice('optimizer', optimizer, OPTIMIZER_NAMES),
    ...atLeast0('weight decay', learning.weightDecay),
    ...(largestGradientNorm === undefined ? [] : above0('largest gradient norm', largestGradientNorm)),
    ...above0('weight of positives', learning.positiveWeight),
    ...atLeast0('focusing', learning.focusing),
    ...choice('input normalization', inputNormalisation, INPUT_NORMALISATIONS),
    ...choice('learning rate schedule', schedule.schedule, LEARNING_RATE_SCHEDULES),
    ...number('epochs between learning rate steps', stepEpochs, isWhole, 'a whole number of at least 1'),
    ...above0('learning rate step factor', schedule.stepFactor),
    ...atLeast0('warm-up epochs', schedule.warmupEpochs),
    ...choice('activation storage', learning.activationStorage, STORAGES),
    ...number('fine-tuning depth', fineTuneDepth, isDepth, `a whole number in 1..${ALL_PARTS}`),
  ];
}
