import { CHAPTER_AUGMENTATION } from '@lunastream/augmentation';
import type { Candidate } from '@lunastream/dataset';
import { xyzMm } from '@lunastream/volume';
import type { TrainingDataset } from '../src/dataset-client.ts';
import { CHAPTER_LEARNING } from '../src/runs/learning-settings.ts';
import type { RunSettings } from '../src/runs/run-settings.ts';

/** Settings of a run that a fake engine does in milliseconds. */
export const SETTINGS: RunSettings = {
  dataset: 'default',
  batchSize: 4,
  epochs: 1,
  ratio: 0,
  ratioSchedule: undefined,
  sampler: 'shuffled',
  epochLength: undefined,
  augmentation: CHAPTER_AUGMENTATION,
  margin: true,
  voxelType: 'float32',
  border: 'shift',
  tbPrefix: 'p2ch12',
  comment: 'dlwpt',
  seed: 7,
  chunkShape: { depth: 16, height: 16, width: 16 },
  learningRate: 0.001,
  momentum: 0.99,
  engine: 'auto',
  threads: undefined,
  checkpointBatches: 0,
  threshold: 0.5,
  split: 'candidate',
  score: 'f1',
  validationCadence: 1,
  earlyStop: 0,
  learning: CHAPTER_LEARNING,
  tensorboard: undefined,
  initialWeights: undefined,
  labels: 'nodule',
};

/** Twelve candidates, nodules first, in four series of a patient each; the centre's x is 100 + position or -position. */
export const CANDIDATES: readonly Candidate[] = Array.from({ length: 12 }, (_, position) => ({
  seriesUid: `1.2.${position % 4}`,
  patientId: `patient-${position % 4}`,
  centerXyzMm: xyzMm(position < 3 ? 100 + position : -position, 0, 0),
  isNodule: position < 3,
  diameterMm: position < 3 ? 9 - position : 0,
}));

export const DATASET: TrainingDataset = {
  name: 'default',
  fingerprint: 'f00d',
  candidates: CANDIDATES,
  seriesCount: 4,
  leftOut: { missingScan: 0, outsideScan: 0, badScan: 0 },
  problems: [],
};
