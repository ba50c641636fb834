import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfusionCounts } from './confusion-counts.ts';
import {
  accuracy,
  balancedAccuracy,
  emptyDenominator,
  falsePositiveRate,
  fBeta,
  matthewsCorrelation,
  precision,
  recall,
  specificity,
  type ScoreName,
} from './scores.ts';

const NONE: ConfusionCounts = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };
const count = fc.nat(1e6);
/** Every size of beta, the two ends among them. */
const anyBeta = fc.oneof(
  fc.double({ min: 0, max: 10, noNaN: true }),
  fc.double({ min: 0, noNaN: true }),
  fc.constantFrom(0, Infinity, 1e-200, 1e200, Number.MAX_VALUE, Number.MIN_VALUE),
);
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
      fc.property(found, anyBeta, (counts, beta) => {
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

  it('is precision at beta 0 and recall at Infinity, undefined where they are', () => {
    const nothingCalled = { ...NONE, falseNegatives: 3 };
    const nothingThere = { ...NONE, falsePositives: 3 };
    expect(fBeta(nothingCalled, 0)).toBeUndefined();
    expect(fBeta(nothingThere, Infinity)).toBeUndefined();
    fc.assert(
      fc.property(found, (counts) => {
        expect(fBeta(counts, 0)).toBe(precision(counts));
        expect(fBeta(counts, Infinity)).toBe(recall(counts));
      }),
    );
  });

  it.each([1e-300, 1, 1e300])('is 0 for mistakes without a hit, with beta %d', (beta) => {
    expect(fBeta({ ...NONE, falseNegatives: 1 }, beta)).toBe(0);
    expect(fBeta({ ...NONE, falsePositives: 1 }, beta)).toBe(0);
  });

  it.each([-1e-9, -1, Number.NaN, -Infinity])('refuses beta %d', (beta) => {
    expect(() => fBeta(NONE, beta)).toThrow(/^Cannot compute an F-score: beta must be 0 or more, got /);
  });
});

describe('balancedAccuracy()', () => {
  it('is 0.5 for one answer for everything, where accuracy is 0.9975', () => {
    const allNegative = { ...NONE, trueNegatives: 399, falseNegatives: 1 };
    expect(accuracy(allNegative)).toBe(0.9975);
    expect(balancedAccuracy(allNegative)).toBe(0.5);
    expect(balancedAccuracy({ ...NONE, truePositives: 1, falsePositives: 399 })).toBe(0.5);
  });
});

describe('matthewsCorrelation()', () => {
  it('is the Pearson correlation of calls and labels', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), fc.nat(1)), { minLength: 2, maxLength: 50 }), (samples) => {
        const tally = (call: number, label: number) =>
          samples.filter(([c, l]) => c === call && l === label).length;
        const counts = {
          truePositives: tally(1, 1),
          falsePositives: tally(1, 0),
          trueNegatives: tally(0, 0),
          falseNegatives: tally(0, 1),
        };
        const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
        const [calls, labels] = [samples.map(([c]) => c), samples.map(([, l]) => l)];
        const covariance = mean(samples.map(([c, l]) => c * l)) - mean(calls) * mean(labels);
        const spread = [calls, labels].map((values) => Math.sqrt(mean(values) * (1 - mean(values))));
        const correlation = matthewsCorrelation(counts);
        if (spread.includes(0)) expect(correlation).toBeUndefined();
        else expect(correlation).toBeCloseTo(covariance / (spread[0]! * spread[1]!), 10);
      }),
    );
  });

  it('is 1 for a perfect model, and never beyond -1 for one that is always wrong', () => {
    const some = fc.integer({ min: 1, max: 1e6 });
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(matthewsCorrelation({ ...NONE, truePositives: a, trueNegatives: b })).toBe(1);
        const opposite = matthewsCorrelation({ ...NONE, falsePositives: a, falseNegatives: b })!;
        expect(opposite).toBeGreaterThanOrEqual(-1);
        expect(opposite).toBeCloseTo(-1, 12);
      }),
    );
  });

  it('stays in -1..1, turns its sign with the calls and does not care which class is called positive', () => {
    fc.assert(
      fc.property(fc.record({ tp: count, fp: count, tn: count, fn: count }), ({ tp, fp, tn, fn }) => {
        const counts = { truePositives: tp, falsePositives: fp, trueNegatives: tn, falseNegatives: fn };
        const exchanged = { truePositives: tn, falsePositives: fn, trueNegatives: tp, falseNegatives: fp };
        const opposite = { truePositives: fn, falsePositives: tn, trueNegatives: fp, falseNegatives: tp };
        const correlation = matthewsCorrelation(counts);
        fc.pre(correlation !== undefined);
        expect(Math.abs(correlation)).toBeLessThanOrEqual(1);
        expect(matthewsCorrelation(exchanged)).toBeCloseTo(correlation, 12);
        expect(matthewsCorrelation(opposite)).toBeCloseTo(-correlation, 12);
      }),
    );
  });
});

describe('emptyDenominator()', () => {
  const cases: [ScoreName, ConfusionCounts, RegExp][] = [
    ['precision', { ...NONE, falseNegatives: 3 }, /no sample was called positive \(TP \+ FP = 0\)/],
    ['recall', { ...NONE, falsePositives: 3 }, /no sample is positive \(TP \+ FN = 0\)/],
    ['specificity', { ...NONE, truePositives: 3 }, /no sample is negative \(TN \+ FP = 0\)/],
    ['falsePositiveRate', { ...NONE, truePositives: 3 }, /no sample is negative \(TN \+ FP = 0\)/],
    ['accuracy', NONE, /no samples/],
    ['balancedAccuracy', { ...NONE, truePositives: 3 }, /^no sample is negative \(TN \+ FP = 0\)$/],
    ['balancedAccuracy', { ...NONE, trueNegatives: 3 }, /^no sample is positive \(TP \+ FN = 0\)$/],
    [
      'matthewsCorrelation',
      { ...NONE, trueNegatives: 3, falseNegatives: 1 },
      /^no sample was called positive \(TP \+ FP = 0\)$/,
    ],
    [
      'matthewsCorrelation',
      { ...NONE, falsePositives: 3 },
      /^no sample is positive \(TP \+ FN = 0\) and no sample was called negative \(TN \+ FN = 0\)$/,
    ],
    ['fBeta', { ...NONE, trueNegatives: 3 }, /TP \+ FP \+ FN = 0/],
  ];

  it.each(cases)('names what %s lacks', (score, counts, reason) => {
    expect(emptyDenominator(score, counts)).toMatch(reason);
  });

  it.each(cases)('says nothing where %s has a value', (score) => {
    const full = { truePositives: 1, falsePositives: 1, trueNegatives: 1, falseNegatives: 1 };
    expect(emptyDenominator(score, full)).toBeUndefined();
  });

  it('speaks up exactly where a score is undefined', () => {
    const scores = {
      accuracy,
      balancedAccuracy,
      fBeta: (counts: ConfusionCounts) => fBeta(counts, 2),
      falsePositiveRate,
      matthewsCorrelation,
      precision,
      recall,
      specificity,
    } satisfies Record<ScoreName, (counts: ConfusionCounts) => number | undefined>;
    const few = fc.nat(2);
    const counts = fc.record({
      truePositives: few,
      falsePositives: few,
      trueNegatives: few,
      falseNegatives: few,
    });
    fc.assert(
      fc.property(counts, (some) => {
        for (const name of Object.keys(scores) as ScoreName[]) {
          expect(emptyDenominator(name, some) === undefined).toBe(scores[name](some) !== undefined);
        }
      }),
    );
  });
});
