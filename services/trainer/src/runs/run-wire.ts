import { NO_AUGMENTATION } from '@lunastream/augmentation';
import {
  BestScore,
  BorderRule as WireBorderRule,
  Labels as WireLabels,
  RunState as WireRunState,
  Sampler as WireSampler,
  SplitRule,
  VoxelType,
  type EpochScores,
  type Run,
  type RunSettings as WireRunSettings,
  type RunStatus as WireRunStatus,
  type WatchRunResponse,
} from '@lunastream/contracts';
import { DEFAULT_BALANCED_EPOCH_LENGTH } from '@lunastream/dataset';
import type { EpochRecord } from '@lunastream/metrics';
import type { BorderRule } from '@lunastream/volume';
import { WIRE_BORDERS, WIRE_VOXEL_TYPES } from '../supply/sample-wire.ts';
import { fromWireLearning, toWireLearning } from './learning-wire.ts';
import type { RunEvent, RunState, RunStatus } from './run-journal.ts';
import type { RunView } from './run-manager.ts';
import { fillLaterSettings, type RunSettings } from './run-settings.ts';

// Between the wire types of the training service and ours. Nothing is checked here: compileRunSettings does.

const VOXEL_TYPES: Record<VoxelType, RunSettings['voxelType']> = {
  [VoxelType.UNSPECIFIED]: 'float32',
  [VoxelType.FLOAT32]: 'float32',
  [VoxelType.FLOAT16]: 'float16',
};
const SPLITS: Record<SplitRule, RunSettings['split']> = {
  [SplitRule.UNSPECIFIED]: 'series',
  [SplitRule.SERIES]: 'series',
  [SplitRule.CANDIDATE]: 'candidate',
};
const SCORES: Record<BestScore, RunSettings['score']> = {
  [BestScore.UNSPECIFIED]: 'f1',
  [BestScore.F1]: 'f1',
  [BestScore.F2]: 'f2',
  [BestScore.RECALL]: 'recall',
  [BestScore.AUC]: 'auc',
  [BestScore.F05]: 'f05',
  [BestScore.RECALL_AT_FPR]: 'recall-at-fpr',
};
const SAMPLERS: Record<WireSampler, RunSettings['sampler']> = {
  [WireSampler.UNSPECIFIED]: 'shuffled',
  [WireSampler.SHUFFLED]: 'shuffled',
  [WireSampler.WEIGHTED]: 'weighted',
};
const WIRE_SAMPLERS: Record<RunSettings['sampler'], WireSampler> = {
  shuffled: WireSampler.SHUFFLED,
  weighted: WireSampler.WEIGHTED,
};
const BORDERS: Record<WireBorderRule, BorderRule> = {
  [WireBorderRule.UNSPECIFIED]: 'shift',
  [WireBorderRule.SHIFT]: 'shift',
  [WireBorderRule.PAD_AIR]: 'pad-air',
};
const LABELS: Record<WireLabels, RunSettings['labels']> = {
  [WireLabels.UNSPECIFIED]: 'nodule',
  [WireLabels.NODULE]: 'nodule',
  [WireLabels.MALIGNANCY]: 'malignancy',
};
const WIRE_LABELS: Record<RunSettings['labels'], WireLabels> = {
  nodule: WireLabels.NODULE,
  malignancy: WireLabels.MALIGNANCY,
};
const WIRE_SPLITS: Record<RunSettings['split'], SplitRule> = {
  series: SplitRule.SERIES,
  candidate: SplitRule.CANDIDATE,
};
const WIRE_SCORES: Record<RunSettings['score'], BestScore> = {
  f1: BestScore.F1,
  f2: BestScore.F2,
  recall: BestScore.RECALL,
  f05: BestScore.F05,
  auc: BestScore.AUC,
  'recall-at-fpr': BestScore.RECALL_AT_FPR,
};
const WIRE_STATES: Record<RunState, WireRunState> = {
  starting: WireRunState.STARTING,
  running: WireRunState.RUNNING,
  finished: WireRunState.FINISHED,
  stopped: WireRunState.STOPPED,
  failed: WireRunState.FAILED,
};

/** With a schedule the length depends on the epoch: `epochPlan` knows. */
function isAlwaysBalanced({ ratio, sampler }: WireRunSettings): boolean {
  return ratio > 0 || sampler === WireSampler.WEIGHTED;
}

/** Settings as a client sent them, defaults filled in. */
export function fromWireSettings(wire: WireRunSettings): RunSettings {
  return {
    dataset: wire.dataset,
    batchSize: wire.batchSize,
    epochs: wire.epochs,
    ratio: wire.ratio,
    ratioSchedule: wire.ratioSchedule || undefined,
    sampler: SAMPLERS[wire.sampler],
    epochLength: wire.epochLength || (isAlwaysBalanced(wire) ? DEFAULT_BALANCED_EPOCH_LENGTH : undefined),
    augmentation: wire.augmentation ?? NO_AUGMENTATION,
    margin: wire.margin,
    voxelType: VOXEL_TYPES[wire.voxelType],
    border: BORDERS[wire.border],
    tbPrefix: wire.tbPrefix,
    comment: wire.comment,
    seed: wire.seed,
    chunkShape: wire.chunkShape ?? { depth: 0, height: 0, width: 0 },
    learningRate: wire.learningRate,
    momentum: wire.momentum,
    engine: wire.engine,
    threads: wire.threads || undefined,
    checkpointBatches: wire.checkpointBatches,
    threshold: wire.threshold,
    split: SPLITS[wire.split],
    score: SCORES[wire.score],
    validationCadence: wire.validationCadence || 1,
    earlyStop: wire.earlyStop,
    learning: fromWireLearning(wire.learning),
    tensorboard: wire.tensorboard && { sample: wire.tensorboard.sample },
    initialWeights: wire.initialWeights && { ...wire.initialWeights },
    labels: LABELS[wire.labels],
  };
}

function toWireSettings(settings: RunSettings): WireRunSettings {
  return {
    ...settings,
    ratioSchedule: settings.ratioSchedule ?? '',
    sampler: WIRE_SAMPLERS[settings.sampler],
    epochLength: settings.epochLength ?? 0,
    threads: settings.threads ?? 0,
    voxelType: WIRE_VOXEL_TYPES[settings.voxelType],
    border: WIRE_BORDERS[settings.border],
    split: WIRE_SPLITS[settings.split],
    score: WIRE_SCORES[settings.score],
    learning: toWireLearning(settings.learning),
    tensorboard: settings.tensorboard && { sample: settings.tensorboard.sample },
    initialWeights: settings.initialWeights && { ...settings.initialWeights },
    labels: WIRE_LABELS[settings.labels],
    resumeRunId: '',
  };
}

export function toWireState(state: RunState): WireRunState {
  return WIRE_STATES[state];
}

/** A run and its scores. */
export function toWireRun({ record, folderPath, status, epochs }: RunView): Run {
  return {
    runId: record.runId,
    runFolder: folderPath,
    state: toWireState(status.state),
    settings: toWireSettings(fillLaterSettings(record.settings)),
    startedAt: new Date(record.startedAt),
    scores: epochs.map(toWireScores),
    bestEpoch: status.bestEpoch,
  };
}

/** An event of a run. */
export function toWireEvent(event: RunEvent): WatchRunResponse {
  switch (event.kind) {
    case 'line':
      return {
        event: { $case: 'logLine', value: { time: event.time, level: event.level, text: event.text } },
      };
    case 'progress': {
      const { waitingFor = '', ...progress } = event.progress;
      return { event: { $case: 'progress', value: { ...progress, waitingFor } } };
    }
    case 'scores':
      return { event: { $case: 'scores', value: toWireScores(event.record) } };
    case 'status':
      return { event: { $case: 'status', value: toWireStatus(event.status) } };
  }
}

function toWireStatus({ state, message, bestEpoch, stallFraction }: RunStatus): WireRunStatus {
  return { state: toWireState(state), message, bestEpoch, stallFraction };
}

function toWireScores(record: EpochRecord): EpochScores {
  return {
    epoch: record.epoch,
    split: record.split,
    samplesSeen: record.samples_seen,
    truePositives: record.tp,
    falsePositives: record.fp,
    trueNegatives: record.tn,
    falseNegatives: record.fn,
    lossAll: record.loss_all ?? undefined,
    lossNeg: record.loss_neg ?? undefined,
    lossPos: record.loss_pos ?? undefined,
    precision: record.precision ?? undefined,
    recall: record.recall ?? undefined,
    f1: record.f1 ?? undefined,
    f2: record.f2 ?? undefined,
    f05: record.f05 ?? undefined,
    prAuc: record.pr_auc ?? undefined,
    rocAuc: record.roc_auc ?? undefined,
    recallAtFpr: record.recall_at_fpr ?? undefined,
  };
}
