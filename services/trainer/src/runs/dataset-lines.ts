import type { Candidate, CandidateSplit } from '@lunastream/dataset';
import type { ClassNames } from '@lunastream/metrics';
import type { TrainingDataset } from '../dataset-client.ts';
import type { RunSettings } from './run-settings.ts';
import { describeLeftOut } from './split-dataset.ts';

/** Problems of the data set that are written to a run's log. */
const SHOWN_PROBLEMS = 3;

/** A line of a run's log, but for its time. */
export interface LogText {
  readonly level: 'INFO' | 'WARNING';
  readonly text: string;
}

type LoggedSettings = Pick<RunSettings, 'ratio' | 'ratioSchedule' | 'sampler' | 'labels'>;

/** What logs and TensorBoard call the two classes: chapter 12's names, and chapter 14's. */
export const CLASS_NAMES: Readonly<Record<RunSettings['labels'], ClassNames>> = {
  nodule: { negative: 'neg', positive: 'pos' },
  malignancy: { negative: 'ben', positive: 'mal' },
};

/** What a run says of its data before the first epoch: the chapter's lines, then what is wrong. */
export function datasetLines({
  settings,
  dataset,
  split,
}: {
  readonly settings: LoggedSettings;
  readonly dataset: TrainingDataset;
  readonly split: CandidateSplit;
}): LogText[] {
  const names = CLASS_NAMES[settings.labels];
  return [
    sideLine('training', split.training, { ratio: describeBalance(settings), names }),
    sideLine('validation', split.validation, { ratio: 'unbalanced', names }),
    ...unknownLines(dataset, split, settings),
    ...leftOutLines(dataset),
    ...leakLines(dataset, split.sharedSeriesCount),
  ];
}

/** "2:1", "unbalanced", the schedule, or what the sampler does. */
function describeBalance({ ratio, ratioSchedule, sampler }: LoggedSettings): string {
  if (sampler === 'weighted') return 'weighted 1:1';
  if (ratioSchedule !== undefined) return `(${ratioSchedule}):1`;
  return ratio === 0 ? 'unbalanced' : `${ratio}:1`;
}

function sideLine(
  name: string,
  candidates: readonly Candidate[],
  { ratio, names }: { readonly ratio: string; readonly names: ClassNames },
): LogText {
  const positives = candidates.filter(({ isNodule }) => isNodule).length;
  return {
    level: 'INFO',
    text:
      `LunaDataset: ${candidates.length} ${name} samples, ${candidates.length - positives} ${names.negative}, ` +
      `${positives} ${names.positive}, ${ratio} ratio`,
  };
}

/** Nodules that nobody called benign or malignant, and what else validation leaves out. */
function unknownLines(
  { candidates }: TrainingDataset,
  { training, validation }: CandidateSplit,
  { labels }: LoggedSettings,
): LogText[] {
  if (labels === 'nodule') return [];
  const unknown = candidates.filter((each) => each.isNodule && each.isMalignant === undefined).length;
  const others = candidates.length - training.length - validation.length - unknown;
  return [
    {
      level: 'INFO',
      text: `Labels by malignancy leave out ${unknown} nodules of unknown malignancy, and of validation ${others} candidates that are no nodules`,
    },
  ];
}

function leftOutLines(dataset: TrainingDataset): LogText[] {
  const leftOut = describeLeftOut(dataset);
  if (leftOut === undefined) return [];
  return [
    `Left out: ${leftOut} (\`lunastream data check\` lists them all)`,
    ...dataset.problems.slice(0, SHOWN_PROBLEMS),
  ].map((text) => ({ level: 'WARNING', text }));
}

function leakLines({ seriesCount }: TrainingDataset, sharedSeriesCount: number): LogText[] {
  if (sharedSeriesCount === 0) return [];
  return [
    {
      level: 'WARNING',
      text:
        `Leak: ${sharedSeriesCount} of ${seriesCount} series are on both sides of the split; ` +
        `validation scores will be too good (--split series avoids it)`,
    },
  ];
}
