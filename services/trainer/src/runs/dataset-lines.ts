import type { Candidate, CandidateSplit } from '@lunastream/dataset';
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

type BalanceSettings = Pick<RunSettings, 'ratio' | 'ratioSchedule' | 'sampler'>;

/** What a run says of its data before the first epoch: the chapter's lines, then what is wrong. */
export function datasetLines({
  settings,
  dataset,
  split,
}: {
  readonly settings: BalanceSettings;
  readonly dataset: TrainingDataset;
  readonly split: CandidateSplit;
}): LogText[] {
  return [
    sideLine('training', split.training, describeBalance(settings)),
    sideLine('validation', split.validation, 'unbalanced'),
    ...leftOutLines(dataset),
    ...leakLines(dataset, split.sharedSeriesCount),
  ];
}

/** "2:1", "unbalanced", the schedule, or what the sampler does. */
function describeBalance({ ratio, ratioSchedule, sampler }: BalanceSettings): string {
  if (sampler === 'weighted') return 'weighted 1:1';
  if (ratioSchedule !== undefined) return `(${ratioSchedule}):1`;
  return ratio === 0 ? 'unbalanced' : `${ratio}:1`;
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
