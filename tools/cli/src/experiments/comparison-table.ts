import {
  choiceLabels,
  type ClassWords,
  type meanScoreChoices,
  type ScoreOverSeeds,
  type VariantSummary,
} from '@lunastream/report';
import { formatTable } from '../closing-table.ts';

const COLUMNS = [
  ['recall', 'recall'],
  ['precision', 'precision'],
  ['f1', 'F1'],
  ['f2', 'F2'],
  ['roc_auc', 'AUC'],
  ['recall_at_fpr', 'rcl@1%FPR'],
  ['loss_pos', 'val_pos loss'],
] as const;

/** "0.8123 ±0.0310": mean and half the width of its interval; for a single run the interval itself is of no use in a column. */
function cell(value: ScoreOverSeeds, runs: number): string {
  if (value === undefined) return 'undefined';
  const { mean, interval, count } = value;
  if (count < runs) return `${mean.toFixed(4)} (${count} of ${runs})`;
  if (interval === undefined || count === 1) return mean.toFixed(4);
  return `${mean.toFixed(4)} ±${((interval.high - interval.low) / 2).toFixed(4)}`;
}

/** The comparison of a series: validation scores at the last epoch, mean and 95 % interval over seeds. */
export function comparisonTable(summaries: readonly VariantSummary[]): string {
  const head = ['variant', 'runs', ...COLUMNS.map(([, label]) => label), 'best epoch'];
  const rows = summaries.map(({ variant, runs, last, bestEpochs }) => [
    variant,
    String(runs),
    ...COLUMNS.map(([score]) => cell(last[score], runs)),
    bestEpochs.map((epoch) => (epoch === 0 ? 'none' : String(epoch))).join(', '),
  ]);
  return formatTable(head, rows, ['left', ...head.slice(1).map(() => 'right' as const)]);
}

/** The epochs that each score would choose in the runs of a variant, and what that costs: means over seeds. */
export function choicesTable(choices: ReturnType<typeof meanScoreChoices>, words: ClassWords): string {
  const head = ['chosen by', 'epochs', `${words.positives} missed`, 'false positives'];
  const labels = choiceLabels(words);
  const digits = (value: number | undefined) => value?.toFixed(1) ?? 'undefined';
  const rows = choices.map(({ score, epochs, missedNodules, falsePositives }) => [
    labels[score],
    epochs.length === 0 ? 'none' : epochs.join(', '),
    digits(missedNodules),
    digits(falsePositives),
  ]);
  return formatTable(head, rows, ['left', 'right', 'right', 'right']);
}

/** Exercise 1b, in words: the question, not the numbers, decides. */
export function scoreAdvice({ aPositive, positives }: ClassWords): string {
  return (
    `Choose by F2: one of the ${positives} missed costs more than a second look. Beside it look at their validation loss and at recall at\n` +
    `1 % false positives: they show overfitting, which a rising F-score hides. Recall alone is won by calling everything ${aPositive}.`
  );
}
