import { describe, expect, it } from 'vitest';
import { fBeta, precision, recall } from '../src/index.ts';
import { readDocumentTable } from './document-table.ts';

const PAGE = 'docs/why-f1.md';

function countsOf({ TP, FP, FN }: Record<string, string>) {
  return {
    truePositives: Number(TP),
    falsePositives: Number(FP),
    falseNegatives: Number(FN),
    trueNegatives: 0,
  };
}

/** What each column of the page holds, for given counts. */
const COLUMNS: Record<string, (p: number, r: number, f: (beta: number) => number) => number> = {
  precision: (p) => p,
  recall: (_, r) => r,
  mean: (p, r) => (p + r) / 2,
  minimum: (p, r) => Math.min(p, r),
  product: (p, r) => p * r,
  'F0.5': (_, __, f) => f(0.5),
  F1: (_, __, f) => f(1),
  F2: (_, __, f) => f(2),
};

describe.each(['model', 'step', 'pair', 'epoch'])('the table of why-f1.md by %s', (heading) => {
  const rows = readDocumentTable(PAGE, heading);

  it.each(rows.map((row) => [row[heading], row] as const))('has the right figures for %s', (_, row) => {
    const counts = countsOf(row);
    const columns = Object.keys(row).filter((name) => name in COLUMNS);
    expect(columns.length).toBeGreaterThan(3);
    const f = (beta: number) => fBeta(counts, beta)!;
    for (const name of columns) {
      const value = COLUMNS[name]!(precision(counts)!, recall(counts)!, f);
      expect([name, row[name]]).toEqual([name, value.toFixed(4)]);
    }
  });
});

describe('what why-f1.md says', () => {
  /** One column of one table, by the first heading's cells. */
  const figures = (heading: string, column: string) => {
    const rows = readDocumentTable(PAGE, heading);
    return new Map(rows.map((row) => [row[heading]!, Number(row[column])]));
  };
  const figure = (heading: string, row: string, column: string) => figures(heading, column).get(row)!;

  it.each(['calls everything', 'calls one nodule'])(
    'the mean puts "%s" above the first epoch, F1 below',
    (useless) => {
      const first = 'the book, epoch 1';
      expect(figure('model', useless, 'mean')).toBeGreaterThan(figure('model', first, 'mean'));
      expect(figure('model', useless, 'F1')).toBeLessThan(figure('model', first, 'F1') / 10);
    },
  );

  it('the minimum does not see the better recall, F1 does', () => {
    expect(figure('step', 'after', 'minimum')).toBe(figure('step', 'before', 'minimum'));
    expect(figure('step', 'after', 'F1')).toBeGreaterThan(figure('step', 'before', 'F1'));
  });

  it('the product takes both of a pair for equal, F1 does not', () => {
    expect(figure('pair', 'lopsided', 'product')).toBe(figure('pair', 'even', 'product'));
    expect(figure('pair', 'even', 'F1')).toBeGreaterThan(1.6 * figure('pair', 'lopsided', 'F1'));
  });

  it('F1 and F2 are best at the last epoch, where recall is at its lowest', () => {
    const extreme = (column: string, pick: (...values: number[]) => number) =>
      pick(...figures('epoch', column).values());
    expect(figure('epoch', '20', 'F1')).toBe(extreme('F1', Math.max));
    expect(figure('epoch', '20', 'F2')).toBe(extreme('F2', Math.max));
    expect(figure('epoch', '20', 'recall')).toBe(extreme('recall', Math.min));
  });
});
