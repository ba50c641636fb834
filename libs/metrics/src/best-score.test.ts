import { describe, expect, it } from 'vitest';
import { BEST_SCORES, isBetter, scoreOf } from './best-score.ts';
import { toEpochRecord, type EpochRecord } from './epoch-record.ts';
import { summarizeEpoch } from './epoch-summary.ts';

const results = {
  epoch: 1,
  split: 'val' as const,
  labels: [1, 1, 1, 0],
  probabilities: [0.9, 0.8, 0.2, 0.7],
  losses: [1, 1, 1, 1],
  threshold: 0.5,
};

describe('scoreOf()', () => {
  it.each([
    ['f1', 2 / 3],
    ['f2', 2 / 3],
    ['f05', 2 / 3],
    ['recall', 2 / 3],
    ['auc', 2 / 3],
    ['recall-at-fpr', 2 / 3],
  ] as const)('reads %s', (name, expected) => {
    expect(scoreOf(summarizeEpoch(results), name)).toBeCloseTo(expected, 12);
  });

  it('reads different scores where they differ', () => {
    const summary = summarizeEpoch({ ...results, probabilities: [0.9, 0.8, 0.6, 0.65] });
    expect(BEST_SCORES.map((name) => scoreOf(summary, name))).toEqual([
      6 / 7,
      15 / 16,
      15 / 19,
      1,
      2 / 3,
      2 / 3,
    ]);
  });

  it('has no value for a model that has diverged on a sample', () => {
    const summary = summarizeEpoch({ ...results, probabilities: [0.9, 0.8, Number.NaN, 0.1] });
    expect(summary.recall).toBe(1);
    for (const name of BEST_SCORES) expect(scoreOf(summary, name)).toBeUndefined();
  });

  it.each([
    ['an ordinary epoch', results],
    ['one without negatives', { ...results, labels: [1, 1, 1, 1] }],
    ['one without positives', { ...results, labels: [0, 0, 0, 0] }],
    ['a diverged one', { ...results, probabilities: [0.9, 0.8, Number.NaN, 0.1] }],
  ])('reads the same from a line of epochs.jsonl, for %s', (_, epoch) => {
    const summary = summarizeEpoch(epoch);
    const record = JSON.parse(JSON.stringify(toEpochRecord(summary, 4))) as EpochRecord;
    for (const name of BEST_SCORES) expect(scoreOf(record, name)).toBe(scoreOf(summary, name));
  });
});

describe('isBetter()', () => {
  it.each([
    [0.5, undefined, true],
    [0, undefined, true],
    [0.6, 0.5, true],
    [0.5, 0.5, false],
    [0.4, 0.5, false],
    [undefined, undefined, false],
    [undefined, 0, false],
    [Number.NaN, undefined, false],
    [0.1, Number.NaN, true],
  ])('of %s against %s is %s', (candidate, best, expected) => {
    expect(isBetter(candidate, best)).toBe(expected);
  });
});
