import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfusionCounts } from './confusion-counts.ts';
import {
  accuracy,
  emptyDenominator,
  falsePositiveRate,
  fBeta,
  precision,
  recall,
  specificity,
  type ScoreName,
} from './scores.ts';

const NONE: ConfusionCounts = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };
const count = fc.nat(1e6);
const found = fc.record({
  truePositives: fc.integer({ min: 1, max: 1e6 }),
  falsePositives: count,
  trueNegatives: count,
  falseNegatives: count,
});

describe('scores of the book', () => {
  // Chapter 12, --balanced, epoch 1, validation: 54099 of 54971 and 108 of 136 right.
  const book = { truePositives: 108, falsePositives: 872, trueNegatives: 54099, falseNegatives: 28 };

  it.each([
    ['precision', precision(book), 0.1102],
    ['recall', recall(book), 0.7941],
    ['F1', fBeta(book, 1), 0.1935],
    ['F0.5', fBeta(book, 0.5), 0.1331],
    ['F2', fBeta(book, 2), 0.3543],
    ['false positive rate', falsePositiveRate(book), 0.0159],
    ['specificity', specificity(book), 1 - 0.0159],
    ['accuracy', accuracy(book), 0.984],
  ])('%s is as printed', (_, actual, printed) => {
    expect(Math.abs(actual! - printed)).toBeLessThan(0.5e-3);
  });
});

describe('recall()', () => {
  it('returns undefined when there are no actual positives', () => {
    expect(recall({ ...NONE, falsePositives: 3, trueNegatives: 5 })).toBeUndefined();
  });

  it('returns 0, not undefined, when all positives are missed', () => {
    expect(recall({ ...NONE, falseNegatives: 3 })).toBe(0);
  });
});

describe('fBeta()', () => {
  it('is undefined only when TP + FP + FN = 0', () => {
    expect(fBeta({ ...NONE, trueNegatives: 9 }, 1)).toBeUndefined();
    expect(fBeta({ ...NONE, falseNegatives: 1 }, 1)).toBe(0);
    expect(fBeta({ ...NONE, falsePositives: 1 }, 1)).toBe(0);
  });

  it('lies between precision and recall', () => {
    fc.assert(
      fc.property(found, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (counts, beta) => {
        const [p, r] = [precision(counts)!, recall(counts)!];
        const f = fBeta(counts, beta)!;
        expect(f).toBeGreaterThanOrEqual(Math.min(p, r) * (1 - 1e-12));
        expect(f).toBeLessThanOrEqual(Math.max(p, r) * (1 + 1e-12));
      }),
    );
  });

  it('with beta 1 is the harmonic mean of precision and recall', () => {
    fc.assert(
      fc.property(found, (counts) => {
        const [p, r] = [precision(counts)!, recall(counts)!];
        expect(fBeta(counts, 1)).toBeCloseTo((2 * p * r) / (p + r), 12);
      }),
    );
  });

  it('moves towards recall as beta grows', () => {
    const findsMost = { ...NONE, truePositives: 9, falsePositives: 90, falseNegatives: 1 };
    const scores = [0.001, 0.5, 1, 2, 1000].map((beta) => fBeta(findsMost, beta)!);
    expect(scores).toEqual([...scores].sort((a, b) => a - b));
    expect(scores[0]).toBeCloseTo(precision(findsMost)!, 4);
    expect(scores[4]).toBeCloseTo(recall(findsMost)!, 4);
  });

  it.each([0, -1, Number.NaN, Infinity, 1e-4, 1001])('refuses beta %d', (beta) => {
    expect(() => fBeta(NONE, beta)).toThrow(/Cannot compute an F-score: beta must be in 0\.001\.\.1000/);
  });
});

describe('emptyDenominator()', () => {
  const cases: [ScoreName, ConfusionCounts, RegExp][] = [
    ['precision', { ...NONE, falseNegatives: 3 }, /no sample was called positive \(TP \+ FP = 0\)/],
    ['recall', { ...NONE, falsePositives: 3 }, /no sample is positive \(TP \+ FN = 0\)/],
    ['specificity', { ...NONE, truePositives: 3 }, /no sample is negative \(TN \+ FP = 0\)/],
    ['falsePositiveRate', { ...NONE, truePositives: 3 }, /no sample is negative \(TN \+ FP = 0\)/],
    ['accuracy', NONE, /no samples/],
    ['fBeta', { ...NONE, trueNegatives: 3 }, /TP \+ FP \+ FN = 0/],
  ];

  it.each(cases)('names what %s lacks', (score, counts, reason) => {
    expect(emptyDenominator(score, counts)).toMatch(reason);
  });

  it.each(cases)('says nothing where %s has a value', (score) => {
    const full = { truePositives: 1, falsePositives: 1, trueNegatives: 1, falseNegatives: 1 };
    expect(emptyDenominator(score, full)).toBeUndefined();
  });
});
