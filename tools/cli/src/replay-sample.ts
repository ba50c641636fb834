import {
  Augmenter,
  marginFor,
  NO_AUGMENTATION,
  sampleTransform,
  type SampleTransform,
  type SampleVoxelType,
} from '@lunastream/augmentation';
import {
  applyLabels,
  epochPlan,
  mixupPartners,
  NO_PARTNER,
  splitCandidates,
  type Candidate,
} from '@lunastream/dataset';
import { makeSample } from '@lunastream/transform-pool';
import type { Shape } from '@lunastream/volume';
import { CommandError } from './errors.ts';
import type { LocalDataset } from './local-dataset.ts';
import type { RunRecord } from './run-record.ts';

/** Which sample of a run. */
export interface SampleChoice {
  readonly split: 'trn' | 'val';
  readonly epoch: number;
  readonly ordinal: number;
}

/** A sample made again. */
export interface ReplayedSample {
  readonly candidate: Candidate;
  readonly transform: SampleTransform;
  /** What was mixed into it. */
  readonly partner: { readonly ordinal: number; readonly candidate: Candidate } | undefined;
  /** The chunk without margin, int16 HU. */
  readonly chunk: Int16Array;
  /** HU in the type that workers sent: float16 as its bit patterns. */
  readonly voxels: ArrayBuffer;
  readonly voxelType: SampleVoxelType;
  readonly sampleShape: Shape;
}

/**
 * Makes a sample of a run again from its settings and data: plan, draws and transforms are the ones that trainer and
 * workers use, so the bytes are those that the engine saw.
 * @throws CommandError when the epoch has no such ordinal.
 */
export async function replaySample(
  dataset: LocalDataset,
  settings: RunRecord['settings'],
  { split, epoch, ordinal }: SampleChoice,
): Promise<ReplayedSample> {
  const isTraining = split === 'trn';
  const shown = shownCandidates(dataset.candidates, settings, { split, epoch });
  const candidate = shown[ordinal];
  if (candidate === undefined) {
    throw new CommandError(`Cannot replay ordinal ${ordinal}: the epoch has ordinals 0..${shown.length - 1}`);
  }
  const augmentation = isTraining ? settings.augmentation : NO_AUGMENTATION;
  const { chunkShape: sampleShape, border } = settings;
  const sourceShape = isTraining && settings.margin ? marginFor(augmentation, sampleShape) : sampleShape;
  const sourceOf = async (of: Candidate, ofOrdinal: number) => ({
    key: { runSeed: settings.seed, epoch, ordinal: ofOrdinal },
    voxels: (await dataset.readChunk(of, { shape: sampleShape, grownShape: sourceShape, border })).slice()
      .buffer,
  });
  const partner =
    augmentation.mixupAlpha > 0 ? partnerOf(shown, { runSeed: settings.seed, epoch }, ordinal) : undefined;
  const source = await sourceOf(candidate, ordinal);
  const { voxelType } = settings;
  const { buffer: voxels } = makeSample(new Augmenter(), {
    sampleShape,
    sourceShape,
    augmentation,
    voxelType,
    source,
    partner: partner && (await sourceOf(partner.candidate, partner.ordinal)),
  });
  const transform = sampleTransform(augmentation, source.key);
  const chunk = await dataset.readChunk(candidate, { shape: sampleShape, grownShape: sampleShape, border });
  return { candidate, transform, partner, chunk, voxels, voxelType, sampleShape };
}

/** The candidates that a pass of the run showed, by ordinal. */
export function shownCandidates(
  candidates: readonly Candidate[],
  {
    split: by,
    labels,
    seed,
    ...balance
  }: Pick<
    RunRecord['settings'],
    'split' | 'labels' | 'seed' | 'ratio' | 'ratioSchedule' | 'sampler' | 'epochLength'
  >,
  { split, epoch }: Pick<SampleChoice, 'split' | 'epoch'>,
): readonly Candidate[] {
  const { training, validation } = applyLabels(splitCandidates(candidates, { by }), labels);
  if (split === 'val') return validation;
  const plan = epochPlan({ ...balance, candidates: training, runSeed: seed, epoch });
  return Array.from(plan, (index) => training[index]!);
}

function partnerOf(
  samples: readonly Candidate[],
  key: { readonly runSeed: number; readonly epoch: number },
  ordinal: number,
): ReplayedSample['partner'] {
  const partner = mixupPartners({ samples, ...key })[ordinal]!;
  return partner === NO_PARTNER ? undefined : { ordinal: partner, candidate: samples[partner]! };
}
