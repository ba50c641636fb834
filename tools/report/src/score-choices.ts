import { BEST_SCORES, meanInterval, type BestScore } from '@lunastream/metrics';
import { bestValidation, validationsOf, type VariantRun } from './compare-variants.ts';

/** What choosing the checkpoint by one score leads to, in one run. */
export interface ScoreChoice {
  readonly score: BestScore | 'loss_pos';
  /** The epoch it chooses; 0 where the score never was defined. */
  readonly epoch: number;
  readonly missedNodules: number;
  readonly falsePositives: number;
  readonly recall: number | null;
}

/**
 * What each score, and the lowest loss on nodules, would have chosen in a run (exercise 1b): every epoch was measured on the
 * same candidates, so the choices can be compared by what they miss.
 */
export function scoreChoices({ epochs }: Pick<VariantRun, 'epochs'>): ScoreChoice[] {
  const lowestLoss = validationsOf(epochs).reduce<ReturnType<typeof bestValidation>>(
    (lowest, record) =>
      record.loss_pos !== null && (lowest === undefined || record.loss_pos < lowest.loss_pos!)
        ? record
        : lowest,
    undefined,
  );
  const chosen = [
    ...BEST_SCORES.map((score) => [score, bestValidation(epochs, score)] as const),
    ['loss_pos', lowestLoss] as const,
  ];
  return chosen.map(([score, record]) => ({
    score,
    epoch: record?.epoch ?? 0,
    missedNodules: record?.fn ?? 0,
    falsePositives: record?.fp ?? 0,
    recall: record?.recall ?? null,
  }));
}

/** The choices of several runs, averaged over those in which the score was defined. */
export function meanScoreChoices(runs: readonly Pick<VariantRun, 'epochs'>[]) {
  const perRun = runs.map(scoreChoices);
  return (perRun[0] ?? []).map(({ score }, index) => {
    const made = perRun.map((choices) => choices[index]!).filter(({ epoch }) => epoch > 0);
    return {
      score,
      epochs: made.map(({ epoch }) => epoch),
      missedNodules: meanInterval(made.map(({ missedNodules }) => missedNodules))?.mean,
      falsePositives: meanInterval(made.map(({ falsePositives }) => falsePositives))?.mean,
    };
  });
}
