import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  averagePrecision,
  precisionRecallCurve,
  recallAtFalsePositiveRate,
  rocAuc,
  rocCurve,
} from './curves.ts';
import { rankSamples } from './ranking.ts';
import { falsePositiveRate, precision, recall } from './scores.ts';

const samples = fc.array(
  // Few distinct probabilities, so that ties are common.
  fc.record({
    label: fc.constantFrom(0, 1),
    probability: fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  }),
  { maxLength: 60 },
);
interface Sample {
  readonly label: number;
  readonly probability: number;
}
const split = (items: readonly Sample[]) =>
  [items.map(({ label }) => label), items.map(({ probability }) => probability)] as const;
const rank = (items: readonly Sample[]) => rankSamples(...split(items));

/** Counts straight from the definition, for thresholds outside 0..1 too. */
function countsAbove(items: readonly Sample[], threshold: number) {
  const tally = (label: number, isCalled: boolean) =>
    items.filter((item) => item.label === label && item.probability > threshold === isCalled).length;
  return {
    truePositives: tally(1, true),
    falsePositives: tally(0, true),
    trueNegatives: tally(0, false),
    falseNegatives: tally(1, false),
  };
}

/** The definition: the share of (positive, negative) pairs in the right order, ties half. O(n²). */
function pairwiseAuc(labels: readonly number[], probabilities: readonly number[]): number | undefined {
  let score = 0;
  let pairs = 0;
  for (const [i, positive] of labels.entries()) {
    for (const [j, negative] of labels.entries()) {
      if (positive !== 1 || negative !== 0) continue;
      pairs++;
      score += (Math.sign(probabilities[i]! - probabilities[j]!) + 1) / 2;
    }
  }
  return pairs === 0 ? undefined : score / pairs;
}

describe('rocAuc()', () => {
  it('is the share of pairs in the right order', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const [labels, probabilities] = split(items);
        const expected = pairwiseAuc(labels, probabilities);
        const actual = rocAuc(rankSamples(labels, probabilities));
        if (expected === undefined) expect(actual).toBeUndefined();
        else expect(actual).toBeCloseTo(expected, 12);
      }),
    );
  });

  it('turns into 1 - AUC when the labels are exchanged', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const [labels, probabilities] = split(items);
        const auc = rocAuc(rankSamples(labels, probabilities));
        fc.pre(auc !== undefined);
        const exchanged = labels.map((label) => 1 - label);
        expect(rocAuc(rankSamples(exchanged, probabilities))).toBeCloseTo(1 - auc, 12);
      }),
    );
  });
});

describe.each([
  ['rocAuc()', rocAuc],
  ['averagePrecision()', averagePrecision],
])('%s', (_, area) => {
  it('keeps its value under any increasing transform', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const [labels, probabilities] = split(items);
        const transformed = probabilities.map((p) => Math.exp(3 * p) - 50);
        expect(area(rankSamples(labels, transformed))).toBe(area(rankSamples(labels, probabilities)));
      }),
    );
  });

  it('does not depend on the order of the samples', () => {
    fc.assert(
      fc.property(samples, (items) => {
        expect(area(rank([...items].reverse()))).toBe(area(rank(items)));
      }),
    );
  });

  it('is undefined when a class is absent', () => {
    expect(area(rankSamples([1, 1], [0.2, 0.9]))).toBeUndefined();
    expect(area(rankSamples([0, 0], [0.2, 0.9]))).toBeUndefined();
    expect(area(rankSamples([], []))).toBeUndefined();
  });

  it('leaves out non-finite probabilities', () => {
    const withGaps = rankSamples([1, 0, 1, 0, 1], [0.9, 0.8, Number.NaN, Infinity, 0.3]);
    expect(area(withGaps)).toBe(area(rankSamples([1, 0, 1], [0.9, 0.8, 0.3])));
  });
});

describe('averagePrecision()', () => {
  it('is the share of positives when all probabilities are equal', () => {
    expect(averagePrecision(rankSamples([1, 0, 0, 0], [0.7, 0.7, 0.7, 0.7]))).toBe(0.25);
  });
});

describe('precisionRecallCurve()', () => {
  it('has the precision and recall of every threshold that changes a call', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const curve = precisionRecallCurve(rank(items));
        fc.pre(curve.length > 0);
        for (const point of curve) {
          const counts = countsAbove(items, point.threshold);
          expect(point.precision).toBe(precision(counts));
          expect(point.recall).toBe(recall(counts));
        }
        expect(curve.at(-1)!.recall).toBe(1);
      }),
    );
  });

  it('has no point for no calls, and none at all without positives', () => {
    expect(precisionRecallCurve(rankSamples([1, 0], [0.75, 0.25]))).toEqual([
      { threshold: 0.5, precision: 1, recall: 1 },
      { threshold: 0.125, precision: 0.5, recall: 1 },
    ]);
    expect(precisionRecallCurve(rankSamples([0, 0], [0.75, 0.25]))).toEqual([]);
  });
});

describe('rocCurve()', () => {
  it('has both rates of every threshold, from (0, 0) to (1, 1), and the area below it by trapezoids', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const curve = rocCurve(rank(items));
        fc.pre(curve.length > 0);
        let area = 0;
        for (const [place, point] of curve.entries()) {
          const counts = countsAbove(items, point.threshold);
          expect(point.falsePositiveRate).toBe(falsePositiveRate(counts));
          expect(point.recall).toBe(recall(counts));
          const before = curve[place - 1] ?? point;
          area += ((point.falsePositiveRate - before.falsePositiveRate) * (point.recall + before.recall)) / 2;
        }
        expect(curve[0]).toEqual({ threshold: 1, falsePositiveRate: 0, recall: 0 });
        expect(curve.at(-1)).toMatchObject({ falsePositiveRate: 1, recall: 1 });
        expect(area).toBeCloseTo(rocAuc(rank(items))!, 12);
      }),
    );
  });

  it('is empty when a class is absent', () => {
    expect(rocCurve(rankSamples([1], [0.5]))).toEqual([]);
    expect(rocCurve(rankSamples([0], [0.5]))).toEqual([]);
  });
});

describe('recallAtFalsePositiveRate()', () => {
  const ranking = rankSamples([1, 0, 1, 1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.7, 0.7, 0.3, 0.2, 0.1]);

  it.each([
    [0, { threshold: 0.85, falsePositiveRate: 0, recall: 0.25 }],
    [0.25, { threshold: 0.85, falsePositiveRate: 0, recall: 0.25 }],
    // The tie at 0.7 brings two positives and a negative at once: nothing between is reached.
    [0.49, { threshold: 0.85, falsePositiveRate: 0, recall: 0.25 }],
    [0.5, { threshold: 0.25, falsePositiveRate: 0.5, recall: 1 }],
    [1, { threshold: 0.25, falsePositiveRate: 0.5, recall: 1 }],
  ])('at %d is what a threshold reaches', (rate, expected) => {
    const point = recallAtFalsePositiveRate(ranking, rate)!;
    expect(point.threshold).toBeCloseTo(expected.threshold, 12);
    expect(point).toMatchObject({ falsePositiveRate: expected.falsePositiveRate, recall: expected.recall });
  });

  it('is the best of all thresholds that keep the rate', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (items, rate) => {
        const point = recallAtFalsePositiveRate(rank(items), rate);
        fc.pre(point !== undefined);
        const allowed = [2, ...items.map((item) => item.probability), -1]
          .map((threshold) => countsAbove(items, threshold))
          .filter((counts) => falsePositiveRate(counts)! <= rate);
        expect(point.recall).toBe(Math.max(...allowed.map((counts) => recall(counts)!)));
        expect(point.falsePositiveRate).toBeLessThanOrEqual(rate);
      }),
    );
  });

  it('is undefined when a class is absent', () => {
    expect(recallAtFalsePositiveRate(rankSamples([1], [0.5]), 0.1)).toBeUndefined();
    expect(recallAtFalsePositiveRate(rankSamples([0], [0.5]), 0.1)).toBeUndefined();
  });

  it.each([-0.1, 1.1, Number.NaN])('refuses the rate %d', (rate) => {
    expect(() => recallAtFalsePositiveRate(ranking, rate)).toThrow(
      /^Cannot read a ROC curve: highestRate must be in 0\.\.1, got /,
    );
  });
});
