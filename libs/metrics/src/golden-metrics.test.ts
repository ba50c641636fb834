import { readGolden } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { countConfusion } from './confusion-counts.ts';
import { averagePrecision, precisionRecallCurve, rocAuc } from './curves.ts';
import { rankSamples } from './ranking.ts';
import { ScoreSketch } from './score-sketch.ts';
import { accuracy, balancedAccuracy, fBeta, matthewsCorrelation, precision, recall } from './scores.ts';

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
  /** By rising thresholds, with a last point (1, 0) for no calls. */
  readonly pr_curve: Record<'precision' | 'recall' | 'thresholds', number[]> | null;
  readonly pr_auc_trapezoid: number | null;
  readonly roc_auc: number | null;
}

/**
 * scikit-learn 1.9.1 on the same cases: matthews_corrcoef(y, s > 0.5), balanced_accuracy_score(y, s > 0.5). null is our
 * undefined, where matthews_corrcoef gives 0 and balanced_accuracy_score the recall of the class that is there.
 */
const MORE_SCORES: Readonly<Record<string, readonly [mcc: number | null, balancedAccuracy: number | null]>> =
  {
    balanced_random: [0.5506887917539348, 0.775],
    imbalanced_200_3pos: [0.2547963622469258, 0.9111675126903553],
    no_positive_labels: [null, null],
    no_negative_labels: [null, null],
    no_predicted_positives: [null, 0.5],
    tp0_fp2: [-0.5, 0.25],
    'ties_incl_exact_0.5': [0.16967515794730187, 0.5875],
    perfect: [1, 1],
    inverted: [-1, 0],
    'all_same_prob_0.7': [null, 0.5],
    'extra_all_exactly_0.5': [null, 0.5],
    extra_single_positive_sample: [null, null],
  };

/** null in the file is nan in scikit-learn: our undefined. */
function expectScore(actual: number | undefined, expected: number | null): void {
  if (expected === null) expect(actual).toBeUndefined();
  else expect(Math.abs(actual! - expected)).toBeLessThan(1e-12);
}

// scikit-learn 1.9.1: tools/golden/reference/make_metrics_golden.py.
const { cases } = readGolden<{ cases: GoldenCase[] }>('metrics');

describe.each(cases)('scikit-learn case $name', (golden) => {
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

  it('has its Matthews correlation and balanced accuracy', () => {
    const [correlation, balanced] = MORE_SCORES[golden.name]!;
    expectScore(matthewsCorrelation(counts), correlation);
    expectScore(balancedAccuracy(counts), balanced);
  });

  it('has its areas', () => {
    const ranking = rankSamples(golden.labels, golden.probs);
    expectScore(rocAuc(ranking), golden.roc_auc);
    // Without negatives scikit-learn's average precision is 1 for any model; ours is undefined.
    const hasNegatives = golden.labels.includes(0);
    expectScore(averagePrecision(ranking), hasNegatives ? golden.average_precision : null);
  });

  it('has the area below its precision-recall curve, by trapezoids', () => {
    const points = precisionRecallCurve(rankSamples(golden.labels, golden.probs));
    if (golden.pr_auc_trapezoid === null) return expect(points).toEqual([]);
    let area = 0;
    let before = { recall: 0, precision: 1 };
    for (const point of points) {
      area += ((point.recall - before.recall) * (point.precision + before.precision)) / 2;
      before = point;
    }
    expectScore(area, golden.pr_auc_trapezoid);
  });

  it('has its areas within the bounds of a sketch', () => {
    const sketch = new ScoreSketch();
    sketch.add(golden.labels, golden.probs);
    const isWithin = (area: number, { low, high }: { low: number; high: number }) =>
      low - 1e-12 <= area && area <= high + 1e-12;
    if (golden.roc_auc === null) {
      expect(sketch.rocAucBounds()).toBeUndefined();
      expect(sketch.averagePrecisionBounds()).toBeUndefined();
    } else {
      expect(isWithin(golden.roc_auc, sketch.rocAucBounds()!)).toBe(true);
      expect(isWithin(golden.average_precision!, sketch.averagePrecisionBounds()!)).toBe(true);
    }
  });
});

// The file keeps curves of at most 12 points.
describe.each(cases.filter(({ pr_curve: curve }) => curve !== null))(
  'precision-recall curve of $name',
  ({ labels, probs, pr_curve: curve }) => {
    it('has the points of scikit-learn', () => {
      const points = precisionRecallCurve(rankSamples(labels, probs)).reverse();
      const { precision, recall, thresholds } = curve!;
      expect(points).toHaveLength(thresholds.length);
      for (const [place, point] of points.entries()) {
        expectScore(point.precision, precision[place]!);
        expectScore(point.recall, recall[place]!);
        // scikit-learn calls what is at its threshold or above; ours lies between it and the next probability below.
        expect(point.threshold).toBeLessThan(thresholds[place]!);
        expect(point.threshold).toBeGreaterThanOrEqual(thresholds[place - 1] ?? 0);
      }
    });
  },
);
