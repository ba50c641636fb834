import Table from 'cli-table3';
import type { EpochScores } from '@lunastream/contracts';

const PLAIN_BORDERS = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}; // prettier-ignore

/** Lays out rows under a head: aligned columns, no borders, no colours. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly ('left' | 'right')[],
): string {
  const table = new Table({
    head: [...head],
    chars: PLAIN_BORDERS,
    colAligns: [...alignments],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function score(value: number | undefined): string {
  // An undefined score is 0/0: neither 0 nor bad, there was nothing to measure it on.
  return value === undefined ? 'undefined' : value.toFixed(4);
}

/** The closing table of a run: counts and scores of the last epoch, a row per split. */
export function closingTable(scores: readonly EpochScores[]): string {
  const lastEpoch = Math.max(...scores.map(({ epoch }) => epoch));
  const rows = scores
    .filter(({ epoch }) => epoch === lastEpoch)
    .map((one) => [
      `E${one.epoch} ${one.split}`,
      ...[one.truePositives, one.falsePositives, one.falseNegatives, one.trueNegatives].map(String),
      ...[one.precision, one.recall, one.f1, one.f2, one.f05, one.rocAuc].map(score),
    ]);
  const head = ['split', 'TP', 'FP', 'FN', 'TN', 'precision', 'recall', 'F1', 'F2', 'F0.5', 'AUC'];
  return formatTable(head, rows, ['left', ...head.slice(1).map(() => 'right' as const)]);
}
