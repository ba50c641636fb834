import type { Candidate, CandidateSplit } from '@lunastream/dataset';
import type { TrainingDataset } from './dataset-client.ts';
import type { RunSettings } from './run-settings.ts';
import { describeLeftOut } from './split-dataset.ts';

/** Problems of the data set that are written to a run's log. */
const SHOWN_PROBLEMS = 3;

/** A line of a run's log, but for its time. */
export interface LogText {
  readonly level: 'INFO' | 'WARNING';
  readonly text: string;
}

/** What a run says of its data before the first epoch: the chapter's lines, then what is wrong. */
export function datasetLines({
  settings,
  dataset,
  split,
}: {
  readonly settings: Pick<RunSettings, 'ratio'>;
  readonly dataset: TrainingDataset;
  readonly split: CandidateSplit;
}): LogText[] {
  const ratio = settings.ratio === 0 ? 'unbalanced' : `${settings.ratio}:1`;
  return [
    sideLine('training', split.training, ratio),
    sideLine('validation', split.validation, 'unbalanced'),
    ...leftOutLines(dataset),
    ...leakLines(dataset, split.sharedSeriesCount),
  ];
}

function sideLine(name: string, candidates: readonly Candidate[], ratio: string): LogText {
  const positives = candidates.filter(({ isNodule }) => isNodule).length;
  return {
    level: 'INFO',
    text:
      `LunaDataset: ${candidates.length} ${name} samples, ${candidates.length - positives} neg, ` +
      `${positives} pos, ${ratio} ratio`,
  };
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
