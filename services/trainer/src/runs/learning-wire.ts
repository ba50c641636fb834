import {
  InputNormalization,
  LearningRateSchedule as WireSchedule,
  Optimizer,
  type LearningSettings as WireLearningSettings,
} from '@lunastream/contracts';
import { CONSTANT_RATE } from '@lunastream/engine';
import { CHAPTER_LEARNING, type LearningSettings } from './learning-settings.ts';

// Between the wire's learning settings and ours. Nothing is checked here: learningFaults does.

const OPTIMIZERS: Record<Optimizer, LearningSettings['optimizer']> = {
  [Optimizer.UNSPECIFIED]: 'sgd',
  [Optimizer.SGD]: 'sgd',
  [Optimizer.ADAM]: 'adam',
  [Optimizer.ADAMW]: 'adamw',
};
const WIRE_OPTIMIZERS: Record<LearningSettings['optimizer'], Optimizer> = {
  sgd: Optimizer.SGD,
  adam: Optimizer.ADAM,
  adamw: Optimizer.ADAMW,
};
const NORMALISATIONS: Record<InputNormalization, LearningSettings['inputNormalisation']> = {
  [InputNormalization.UNSPECIFIED]: 'batch',
  [InputNormalization.BATCH]: 'batch',
  [InputNormalization.FIXED]: 'fixed',
  [InputNormalization.SIGNED_SQRT]: 'signed-sqrt',
  [InputNormalization.SIGNED_LOG]: 'signed-log',
  [InputNormalization.TANH]: 'tanh',
};
const WIRE_NORMALISATIONS: Record<LearningSettings['inputNormalisation'], InputNormalization> = {
  batch: InputNormalization.BATCH,
  fixed: InputNormalization.FIXED,
  'signed-sqrt': InputNormalization.SIGNED_SQRT,
  'signed-log': InputNormalization.SIGNED_LOG,
  tanh: InputNormalization.TANH,
};
type Schedule = LearningSettings['schedule']['schedule'];
const SCHEDULES: Record<WireSchedule, Schedule> = {
  [WireSchedule.UNSPECIFIED]: 'constant',
  [WireSchedule.CONSTANT]: 'constant',
  [WireSchedule.STEP]: 'step',
  [WireSchedule.COSINE]: 'cosine',
};
const WIRE_SCHEDULES: Record<Schedule, WireSchedule> = {
  constant: WireSchedule.CONSTANT,
  step: WireSchedule.STEP,
  cosine: WireSchedule.COSINE,
};

/** Absent: the chapter's. */
export function fromWireLearning(wire: WireLearningSettings | undefined): LearningSettings {
  if (wire === undefined) return CHAPTER_LEARNING;
  return {
    optimizer: OPTIMIZERS[wire.optimizer],
    weightDecay: wire.weightDecay,
    largestGradientNorm: wire.largestGradientNorm === 0 ? undefined : wire.largestGradientNorm,
    positiveWeight: wire.positiveWeight === 0 ? CHAPTER_LEARNING.positiveWeight : wire.positiveWeight,
    focusing: wire.focusing,
    inputNormalisation: NORMALISATIONS[wire.inputNormalization],
    schedule: {
      schedule: SCHEDULES[wire.schedule],
      stepEpochs: wire.stepEpochs === 0 ? CONSTANT_RATE.stepEpochs : wire.stepEpochs,
      stepFactor: wire.stepFactor === 0 ? CONSTANT_RATE.stepFactor : wire.stepFactor,
      warmupEpochs: wire.warmupEpochs,
    },
    fineTuneDepth: wire.fineTuneDepth === 0 ? CHAPTER_LEARNING.fineTuneDepth : wire.fineTuneDepth,
    activationStorage: wire.float16Activations ? 'float16' : 'float32',
  };
}

export function toWireLearning(learning: LearningSettings): WireLearningSettings {
  const { schedule } = learning;
  return {
    optimizer: WIRE_OPTIMIZERS[learning.optimizer],
    weightDecay: learning.weightDecay,
    largestGradientNorm: learning.largestGradientNorm ?? 0,
    positiveWeight: learning.positiveWeight,
    focusing: learning.focusing,
    inputNormalization: WIRE_NORMALISATIONS[learning.inputNormalisation],
    schedule: WIRE_SCHEDULES[schedule.schedule],
    stepEpochs: schedule.stepEpochs,
    stepFactor: schedule.stepFactor,
    warmupEpochs: schedule.warmupEpochs,
    fineTuneDepth: learning.fineTuneDepth,
    float16Activations: learning.activationStorage === 'float16',
  };
}
