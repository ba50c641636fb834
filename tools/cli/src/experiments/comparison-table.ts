import type { ScoreOverSeeds, VariantSummary } from '@lunastream/report';
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
function cell(value: ScoreOverSeeds): string {
  if (value === undefined) return 'undefined';
  const { mean, interval, count } = value;
  if (interval === undefined || count === 1) return mean.toFixed(4);
  return `${mean.toFixed(4)} ±${((interval.high - interval.low) / 2).toFixed(4)}`;
}

/** The comparison of a series: validation scores at the last epoch, mean and 95 % interval over seeds. */
export function comparisonTable(summaries: readonly VariantSummary[]): string {
  const head = ['variant', 'runs', ...COLUMNS.map(([, label]) => label), 'best epoch'];
  const rows = summaries.map(({ variant, runs, last, bestEpochs }) => [
    variant,
    String(runs),
    ...COLUMNS.map(([score]) => cell(last[score])),
    bestEpochs.map((epoch) => (epoch === 0 ? 'none' : String(epoch))).join(', '),
  ]);
  return formatTable(head, rows, ['left', ...head.slice(1).map(() => 'right' as const)]);
}
