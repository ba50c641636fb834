import { describe, expect, it } from 'vitest';
import { toEpochRecord } from './epoch-record.ts';
import { summarizeEpoch, type EpochResults } from './epoch-summary.ts';
import { epochWarnings } from './epoch-warnings.ts';

const RESULTS: EpochResults = {
  epoch: 3,
  split: 'val',
  labels: [1, 1, 0, 0, 0],
  probabilities: [0.9, 0.2, 0.8, 0.1, 0.3],
  losses: [0.125, 1.625, 1.5, 0.125, 0.375],
  threshold: 0.5,
};

describe('summarizeEpoch()', () => {
  it('summarizes both classes and the whole', () => {
    const summary = summarizeEpoch(RESULTS);
    expect(summary.all).toEqual({ loss: 0.75, correct: 3, count: 5 });
    expect(summary.positive).toEqual({ loss: 0.875, correct: 1, count: 2 });
    expect(summary.negative.loss).toBeCloseTo(2 / 3, 12);
    expect(summary.negative).toMatchObject({ correct: 2, count: 3 });
    expect(summary).toMatchObject({ precision: 0.5, recall: 0.5, f1: 0.5, f2: 0.5, f05: 0.5, nonFinite: 0 });
    expect(summary.rocAuc).toBeCloseTo(4 / 6, 12);
    expect(summary.prAuc).toBeCloseTo((1 + 2 / 4) / 2, 12);
    // 0.9 finds one nodule; the next nodule comes after a negative, and one in three negatives is above 1 %.
    expect(summary.recallAtFpr).toBe(0.5);
    expect(summary.degenerate).toBeUndefined();
    expect(epochWarnings(summary)).toEqual([]);
  });

  it('survives a split without positives, where the published program crashes (facts B7)', () => {
    const summary = summarizeEpoch({ ...RESULTS, labels: [0, 0, 0, 0, 0] });
    expect(summary.positive).toEqual({ loss: undefined, correct: 0, count: 0 });
    expect(summary.recall).toBeUndefined();
    expect(summary.precision).toBe(0);
    expect(summary.rocAuc).toBeUndefined();
    expect(epochWarnings(summary)).toEqual([
      'E3 val: recall is undefined: no sample is positive (TP + FN = 0)',
    ]);
  });

  it('survives an epoch without samples', () => {
    const summary = summarizeEpoch({ ...RESULTS, labels: [], probabilities: [], losses: [] });
    expect(summary.all).toEqual({ loss: undefined, correct: 0, count: 0 });
    expect(summary.degenerate).toBeUndefined();
  });

  it.each([
    [[0.1, 0.2, 0.3, 0.4, 0.5], 'all-negative'],
    [[0.6, 0.7, 0.8, 0.9, 1], 'all-positive'],
  ])('finds the degenerate model with probabilities %j', (probabilities, degenerate) => {
    const summary = summarizeEpoch({ ...RESULTS, probabilities });
    expect(summary.degenerate).toBe(degenerate);
    expect(epochWarnings(summary).join()).toContain('the model tells nothing apart');
  });

  it('does not blame a model that is right to call everything negative', () => {
    const summary = summarizeEpoch({ ...RESULTS, labels: [0, 0, 0, 0, 0], probabilities: [0, 0, 0, 0, 0] });
    expect(summary.degenerate).toBeUndefined();
  });

  it('flags a diverged model: no recall, no loss, and nothing correct', () => {
    const nan = Array<number>(5).fill(Number.NaN);
    const summary = summarizeEpoch({ ...RESULTS, probabilities: nan, losses: nan });
    expect(summary.nonFinite).toBe(5);
    expect(summary.recall).toBeUndefined();
    expect(summary.all).toEqual({ loss: undefined, correct: 0, count: 5 });
    expect(epochWarnings(summary)[0]).toBe(
      'E3 val: 5 of 5 probabilities are not finite and are in no score: the model has diverged',
    );
  });

  it('refuses losses of another length', () => {
    expect(() => summarizeEpoch({ ...RESULTS, losses: [1] })).toThrow(
      /Cannot summarize an epoch: labels must hold 1/,
    );
  });
});

describe('toEpochRecord()', () => {
  it('has the keys of epochs.jsonl in their order, and null for undefined', () => {
    const summary = summarizeEpoch({ ...RESULTS, labels: [0, 0, 0, 0, 0] });
    expect(JSON.stringify(toEpochRecord(summary, 600_000))).toBe(
      '{"epoch":3,"split":"val","samples_seen":600000,"tp":0,"fp":2,"tn":3,"fn":0,' +
        '"loss_all":0.75,"loss_neg":0.75,"loss_pos":null,"precision":0,"recall":null,' +
        '"f1":0,"f2":0,"f05":0,"pr_auc":null,"roc_auc":null,"threshold":0.5,"non_finite":0,"recall_at_fpr":null,"fpr_limit":0.01}',
    );
  });
});
