/** How the learning rate changes over a run: a pure function of the place in it. */

export const LEARNING_RATE_SCHEDULES = ['constant', 'step', 'cosine'] as const;

export interface LearningRateSchedule {
  /** `step` multiplies by `stepFactor` after every `stepEpochs`; `cosine` falls to 0 over the whole run. */
  readonly schedule: (typeof LEARNING_RATE_SCHEDULES)[number];
  readonly stepEpochs: number;
  readonly stepFactor: number;
  /** Epochs, also parts of one, in which the rate first rises in a line; 0 for none. */
  readonly warmupEpochs: number;
}

/** The chapter's. */
export const CONSTANT_RATE: LearningRateSchedule = {
  ...{ schedule: 'constant', stepEpochs: 10, stepFactor: 0.1, warmupEpochs: 0 },
};

/** A training step of a run. */
export interface RunPlace {
  /** From 1. */
  readonly epoch: number;
  /** Epochs of the whole run. */
  readonly epochs: number;
  /** Of the epoch's steps, from 0. */
  readonly step: number;
  readonly stepsPerEpoch: number;
}

/** Share of the settings' learning rate that a schedule leaves after `epochsDone`, warm-up apart. */
function decay(
  { schedule, stepEpochs, stepFactor, warmupEpochs }: LearningRateSchedule,
  epochsDone: number,
  epochs: number,
) {
  if (schedule === 'step') return stepFactor ** Math.floor(epochsDone / stepEpochs);
  if (schedule === 'constant') return 1;
  const left = Math.max(0, epochsDone - warmupEpochs) / Math.max(epochs - warmupEpochs, Number.EPSILON);
  return 0.5 * (1 + Math.cos(Math.PI * Math.min(1, left)));
}

/**
 * The learning rate of one step. Warm-up reaches the full rate with its last step, so that no step has a rate of 0; the cosine
 * (Loshchilov and Hutter, 2017) starts after it and depends on `epochs`: a run resumed for longer follows a longer one.
 */
export function learningRateAt(
  learningRate: number,
  schedule: LearningRateSchedule,
  { epoch, epochs, step, stepsPerEpoch }: RunPlace,
): number {
  const epochsDone = epoch - 1 + step / stepsPerEpoch;
  const { warmupEpochs } = schedule;
  const warmup = warmupEpochs > 0 ? Math.min(1, (epochsDone + 1 / stepsPerEpoch) / warmupEpochs) : 1;
  return learningRate * warmup * decay(schedule, epochsDone, epochs);
}
