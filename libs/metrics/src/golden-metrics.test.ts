import { readGolden } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { countConfusion } from './confusion-counts.ts';
import { averagePrecision, rocAuc } from './ranking.ts';
import { accuracy, fBeta, precision, recall } from './scores.ts';

interface GoldenCase {
  readonly name: string;
  readonly labels: number[];
  readonly probs: number[];
  readonly threshold: number;
  readonly tn: number;
  readonly fp: number;
  readonly fn: number;
  readonly tp: number;
  readonly accuracy: number;
  readonly zero_division_nan: Record<'precision' | 'recall' | 'f0.5' | 'f1' | 'f2', number | null>;
  readonly average_precision: number | null;
  readonly roc_auc: number | null;
}

/** null in the file is nan in scikit-learn: our undefined. */
function expectScore(actual: number | undefined, expected: number | null): void {
  if (expected === null) expect(actual).toBeUndefined();
  else expect(Math.abs(actual! - expected)).toBeLessThan(1e-12);
}

// scikit-learn 1.9.1: tools/golden/reference/make_metrics_golden.py.
describe.each(readGolden<{ cases: GoldenCase[] }>('metrics').cases)('scikit-learn case $name', (golden) => {
  const { counts, nonFinite } = countConfusion(golden.labels, golden.probs, golden.threshold);

  it('has its confusion counts', () => {
    expect(counts).toEqual({
      truePositives: golden.tp,
      falsePositives: golden.fp,
      trueNegatives: golden.tn,
      falseNegatives: golden.fn,
    });
    expect(nonFinite).toBe(0);
  });

  it('has its scores, undefined where scikit-learn gives nan', () => {
    const expected = golden.zero_division_nan;
    expectScore(accuracy(counts), golden.accuracy);
    expectScore(precision(counts), expected.precision);
    expectScore(recall(counts), expected.recall);
    expectScore(fBeta(counts, 0.5), expected['f0.5']);
    expectScore(fBeta(counts, 1), expected.f1);
    expectScore(fBeta(counts, 2), expected.f2);
  });

  it('has its areas', () => {
    expectScore(rocAuc(golden.labels, golden.probs), golden.roc_auc);
    // Without negatives scikit-learn's average precision is 1 for any model; ours is undefined.
    const hasNegatives = golden.labels.includes(0);
    expectScore(
      averagePrecision(golden.labels, golden.probs),
      hasNegatives ? golden.average_precision : null,
    );
  });
});
