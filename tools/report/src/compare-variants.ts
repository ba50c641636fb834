import {
  isBetter,
  meanInterval,
  precisionInterval,
  recallInterval,
  scoreOf,
  type BestScore,
  type EpochRecord,
  type MeanInterval,
} from '@lunastream/metrics';

/** Scores of a validation that runs are compared by, in the order of a table. */
export const COMPARED_SCORES = [
  'recall',
  'precision',
  'f1',
  'f2',
  'f05',
  'roc_auc',
  'recall_at_fpr',
  'loss_pos',
] as const;
export type ComparedScore = (typeof COMPARED_SCORES)[number];

/** Records of one run of a variant. */
export interface VariantRun {
  readonly variant: string;
  readonly seed: number;
  /** The score that chose its best epoch. */
  readonly score: BestScore;
  readonly epochs: readonly EpochRecord[];
}

/** A score over the seeds of a variant: undefined where no run has it. */
export type ScoreOverSeeds = MeanInterval | undefined;

/** One row of a comparison. */
export interface VariantSummary {
  readonly variant: string;
  /** Runs that have validated at least once. */
  readonly runs: number;
  /** At the last validation of each run. */
  readonly last: Readonly<Record<ComparedScore, ScoreOverSeeds>>;
  /** At the best epoch of each run. */
  readonly best: Readonly<Record<ComparedScore, ScoreOverSeeds>>;
  /** Best epoch of each run, 0 where none was. */
  readonly bestEpochs: readonly number[];
}

/** The validations of a run, in order of epoch. */
export function validationsOf(epochs: readonly EpochRecord[]): EpochRecord[] {
  return epochs.filter(({ split }) => split === 'val').sort((a, b) => a.epoch - b.epoch);
}

/** The best validation by `score`, the earliest of several; undefined where the score never was defined. */
export function bestValidation(epochs: readonly EpochRecord[], score: BestScore): EpochRecord | undefined {
  let best: EpochRecord | undefined;
  for (const record of validationsOf(epochs)) {
    if (isBetter(scoreOf(record, score), best === undefined ? undefined : scoreOf(best, score)))
      best = record;
  }
  return best;
}

/** A row per variant, in the order in which they first come. Runs without a validation are left out. */
export function compareVariants(runs: readonly VariantRun[]): VariantSummary[] {
  const variants = [...new Set(runs.map(({ variant }) => variant))];
  return variants.map((variant) => {
    const validated = runs.filter((run) => run.variant === variant && validationsOf(run.epochs).length > 0);
    const best = validated.map(({ epochs, score }) => bestValidation(epochs, score));
    return {
      variant,
      runs: validated.length,
      last: overSeeds(validated.map(({ epochs }) => validationsOf(epochs).at(-1))),
      best: overSeeds(best),
      bestEpochs: best.map((record) => record?.epoch ?? 0),
    };
  });
}

function overSeeds(records: readonly (EpochRecord | undefined)[]): VariantSummary['last'] {
  const entries = COMPARED_SCORES.map((name) => [name, scoreOverSeeds(records, name)] as const);
  return Object.fromEntries(entries) as VariantSummary['last'];
}

/**
 * Mean over runs; the interval is Student's over seeds, or for a single run Wilson's over its candidates where the score is
 * a share of them.
 */
export function scoreOverSeeds(
  records: readonly (EpochRecord | undefined)[],
  name: ComparedScore,
): ScoreOverSeeds {
  const values = records.map((record) => record?.[name] ?? null).filter((value) => value !== null);
  const mean = meanInterval(values);
  const [only, ...others] = records.filter((record) => record !== undefined);
  if (mean === undefined || only === undefined || others.length > 0) return mean;
  const counts = {
    truePositives: only.tp,
    falsePositives: only.fp,
    trueNegatives: only.tn,
    falseNegatives: only.fn,
  };
  if (name === 'recall') return { ...mean, interval: recallInterval(counts) };
  if (name === 'precision') return { ...mean, interval: precisionInterval(counts) };
  return mean;
}
