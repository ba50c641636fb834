import { describe, expect, it } from 'vitest';
import { SCORES } from '../test/fake-trainer.ts';
import { closingTable, formatTable } from './closing-table.ts';

describe('closingTable()', () => {
  it('shows counts and scores of the last epoch, a row per split', () => {
    const scores = [
      { ...SCORES, epoch: 1, recall: 0 },
      { ...SCORES, epoch: 2, split: 'trn', truePositives: 1024, f1: 0.5 },
      { ...SCORES, epoch: 2 },
    ];
    expect(closingTable(scores)).toBe(
      [
        'split     TP  FP  FN  TN  precision  recall      F1      F2    F0.5     AUC',
        'E2 trn  1024   1   0  40     0.7500  1.0000  0.5000  0.9375  0.7895  0.9750',
        'E2 val     3   1   0  40     0.7500  1.0000  0.8571  0.9375  0.7895  0.9750',
      ].join('\n'),
    );
  });

  it('tells a score that is undefined from one that is 0', () => {
    const table = closingTable([{ ...SCORES, precision: undefined, recall: 0, f1: 0, f2: 0, f05: 0 }]);
    expect(table.split('\n')[1]).toBe(
      'E1 val   3   1   0  40  undefined  0.0000  0.0000  0.0000  0.0000  0.9750',
    );
  });
});

describe('formatTable()', () => {
  it('aligns columns, and writes neither borders, colours nor spaces at the end', () => {
    const rows = [
      ['a', '1'],
      ['long name', '100'],
    ];
    expect(formatTable(['name', 'n'], rows, ['left', 'right'])).toBe(
      ['name         n', 'a            1', 'long name  100'].join('\n'),
    );
    expect(formatTable(['n', 'name'], [['1', 'a']], ['right', 'left'])).toBe('n  name\n1  a');
  });

  it('is its head when there are no rows', () => {
    expect(formatTable(['run', 'state'], [], ['left', 'left'])).toBe('run  state');
  });
});
