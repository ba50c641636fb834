import {
  applyLabels,
  compileRatioSchedule,
  DatasetError,
  epochPlan,
  splitCandidates,
  type CandidateSplit,
} from '@lunastream/dataset';
import type { TrainingDataset } from '../dataset-client.ts';
import { UnusableDatasetError } from '../errors.ts';
import type { RunSettings } from './run-settings.ts';

/** Every tenth patient, or candidate, validates, as in the chapter. */
const VALIDATION_STRIDE = 10;

type BalanceSettings = Pick<RunSettings, 'split' | 'seed' | 'epochs' | 'ratio' | 'ratioSchedule' | 'sampler' | 'labels'>;

/** The epoch that needs both classes first, where a schedule decides; else the first. */
function firstBalancedEpoch(ratioSchedule: string | undefined, epochs: number): number {
  if (ratioSchedule === undefined) return 1;
  const schedule = compileRatioSchedule(ratioSchedule);
  let epoch = 1;
  while (epoch < epochs && schedule.ratioAt(epoch) === 0) epoch++;
  return epoch;
}

/**
 * Divides the candidates as the settings say.
 * @throws UnusableDatasetError when a side is empty, or a class that balancing needs. Candidates that were left out may
 * be the reason: the message counts them and says why the first one was.
 */
export function splitDataset(
  dataset: TrainingDataset,
  { split: by, seed, epochs, labels, ...balance }: BalanceSettings,
): CandidateSplit {
  try {
    const validationStride = VALIDATION_STRIDE;
    const split = applyLabels(splitCandidates(dataset.candidates, { by, validationStride }), labels);
    // Made for its checks alone: balancing needs both classes.
    const epoch = firstBalancedEpoch(balance.ratioSchedule, epochs);
    epochPlan({ ...balance, candidates: split.training, epochLength: 1, runSeed: seed, epoch });
    return split;
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    const leftOut = describeLeftOut(dataset);
    const reasons = [leftOut === undefined ? [] : `left out ${leftOut}`, dataset.problems.slice(0, 1)].flat();
    throw new UnusableDatasetError([error.message, ...reasons].join('; '), { cause: error });
  }
}

/** How many candidates cannot be used, by reason; undefined when all can. */
export function describeLeftOut({ leftOut }: TrainingDataset): string | undefined {
  const { missingScan, outsideScan, badScan } = leftOut;
  if (missingScan + outsideScan + badScan === 0) return undefined;
  return `${missingScan} candidates of absent scans, ${outsideScan} outside their scan, ${badScan} of damaged scans`;
}
