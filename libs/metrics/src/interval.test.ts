import { RandomPurpose, RandomStream } from '@lunastream/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rocAuc } from './curves.ts';
import { rankSamples } from './ranking.ts';
import { meanInterval, precisionInterval, recallInterval, rocAucInterval } from './interval.ts';
import { precision, recall } from './scores.ts';

const NONE = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };

describe('Wilson intervals', () => {
  // scipy.stats.binomtest(hits, trials).proportion_ci(confidence, method='wilson'), SciPy 1.17.1.
  it.each([
    [0, 1, 0.95, 0, 0.7934506856227626],
    [0, 136, 0.95, 0, 0.027470099733582408],
    [136, 136, 0.95, 0.9725299002664176, 1],
    [98, 136, 0.95, 0.6399124952779254, 0.7891448136631412],
    [108, 136, 0.95, 0.7185363830480943, 0.8535400288733278],
    [98, 205, 0.95, 0.41070423728661104, 0.5462008712544706],
    [3, 7, 0.9, 0.18644319036395607, 0.7105229089864071],
    [1, 2, 0.99, 0.06171307677810184, 0.9382869232218982],
  ])('for %i of %i at %d are those of SciPy', (hits, trials, confidence, low, high) => {
    const ofRecall = recallInterval(
      { ...NONE, truePositives: hits, falseNegatives: trials - hits },
      confidence,
    )!;
    expect(Math.abs(ofRecall.low - low)).toBeLessThan(1e-12);
    expect(Math.abs(ofRecall.high - high)).toBeLessThan(1e-12);
    const counts = { ...NONE, truePositives: hits, falsePositives: trials - hits };
    expect(precisionInterval(counts, confidence)).toEqual(ofRecall);
  });

  it('hold the score, inside 0..1, and shrink with more samples and less confidence', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 1e6 }), (hits, misses) => {
        const counts = { ...NONE, truePositives: hits, falseNegatives: misses, falsePositives: misses };
        const { low, high } = recallInterval(counts)!;
        expect(low).toBeGreaterThanOrEqual(0);
        expect(low).toBeLessThanOrEqual(recall(counts)!);
        expect(high).toBeGreaterThan(precision(counts)!);
        expect(high).toBeLessThanOrEqual(1);
        const surer = recallInterval(counts, 0.99)!;
        expect(surer.high - surer.low).toBeGreaterThan(high - low);
        const more = recallInterval({ ...counts, truePositives: 4 * hits, falseNegatives: 4 * misses })!;
        expect(more.high - more.low).toBeLessThan(high - low);
      }),
    );
  });

  it('begin at 0 with no hits and end at 1, never above, with no misses', () => {
    for (let samples = 1; samples <= 1000; samples++) {
      expect(recallInterval({ ...NONE, falseNegatives: samples })!.low).toBe(0);
      const { high } = recallInterval({ ...NONE, truePositives: samples })!;
      expect(high).toBeLessThanOrEqual(1);
      expect(high).toBeCloseTo(1, 12);
    }
  });

  it('hold a true recall of 0.95 about 95 times in 100 with 136 positives, where p ± 1.96 σ does 92 times', () => {
    // The exact binomial coverage: the chance of every count of hits whose interval holds 0.95.
    const [trials, truth] = [136, 0.95];
    let chance = (1 - truth) ** trials;
    let [wilson, normal] = [0, 0];
    for (let hits = 0; hits <= trials; hits++) {
      const { low, high } = recallInterval({ ...NONE, truePositives: hits, falseNegatives: trials - hits })!;
      if (low <= truth && truth <= high) wilson += chance;
      const share = hits / trials;
      if (Math.abs(truth - share) <= 1.96 * Math.sqrt((share * (1 - share)) / trials)) normal += chance;
      chance *= ((trials - hits) / (hits + 1)) * (truth / (1 - truth));
    }
    expect(wilson).toBeGreaterThan(0.94);
    expect(wilson).toBeLessThan(0.97);
    expect(normal).toBeLessThan(0.93);
  });

  it('are undefined without samples', () => {
    expect(recallInterval({ ...NONE, falsePositives: 9 })).toBeUndefined();
    expect(precisionInterval({ ...NONE, falseNegatives: 9 })).toBeUndefined();
  });

  it.each([0, 1, -0.5, Number.NaN])('refuse the confidence %d', (confidence) => {
    expect(() => recallInterval(NONE, confidence)).toThrow(
      /^Cannot compute an interval: confidence must be above 0 and below 1, got /,
    );
  });
});

describe('rocAucInterval()', () => {
  it('is area ± z standard errors of Hanley and McNeil', () => {
    // A ranking with that area: 58 negatives and 51 positives on two steps.
    const ranking = {
      thresholds: [1, 0.5, 0],
      truePositives: [0, 51 * 0.893, 51],
      falsePositives: [0, 0, 58],
      positives: 51,
      negatives: 58,
      nonFinite: 0,
    };
    const area = rocAuc(ranking)!;
    const { low, high } = rocAucInterval(ranking, 0.5)!;
    expect(area).toBeCloseTo((1 + 0.893) / 2, 12);
    expect((low + high) / 2).toBeCloseTo(area, 12);
    const [q1, q2] = [area / (2 - area), (2 * area ** 2) / (1 + area)];
    const error = Math.sqrt((area * (1 - area) + 50 * (q1 - area ** 2) + 57 * (q2 - area ** 2)) / (51 * 58));
    expect(high - area).toBeCloseTo(0.6744897501960817 * error, 12);
  });

  it('needs both classes, stays in 0..1, and is a point where every nodule ranks first', () => {
    expect(rocAucInterval(rankSamples([1, 1], [0.2, 0.3]))).toBeUndefined();
    expect(rocAucInterval(rankSamples([1, 0], [0.9, 0.3]))).toEqual({ low: 1, high: 1 });
    const few = rocAucInterval(rankSamples([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]))!;
    expect(few.low).toBeGreaterThanOrEqual(0);
    expect(few.high).toBe(1);
    expect(() => rocAucInterval(rankSamples([1, 0], [0.9, 0.3]), 1)).toThrow(
      'confidence must be above 0 and below 1',
    );
  });
});

describe('meanInterval()', () => {
  it('is Student’s: scipy.stats.t.interval(0.95, 2, mean, sem) of three values', () => {
    const { mean, interval } = meanInterval([0.8, 0.9, 0.85])!;
    expect(mean).toBeCloseTo(0.85, 12);
    expect(interval!.low).toBeCloseTo(0.85 - 4.302653 * (0.05 / Math.sqrt(3)), 6);
    expect(interval!.high).toBeCloseTo(0.85 + 4.302653 * (0.05 / Math.sqrt(3)), 6);
  });

  it('goes on smoothly beyond its table', () => {
    // scipy.stats.t.ppf(0.975, 31) = 2.0395134464
    const values = Array.from({ length: 32 }, (_, index) => (index % 2 === 0 ? 1 : -1));
    const deviation = Math.sqrt(32 / 31);
    const { interval } = meanInterval(values)!;
    expect(interval!.high).toBeCloseTo((2.0395134464 * deviation) / Math.sqrt(32), 6);
  });

  it('knows nothing of one value but itself, and nothing at all of none', () => {
    expect(meanInterval([0.7])).toEqual({ mean: 0.7, interval: undefined, count: 1 });
    expect(meanInterval([])).toBeUndefined();
  });

  it('covers the true mean of normal values in 95 of 100 cases', () => {
    const stream = new RandomStream({ runSeed: 1, epoch: 0, ordinal: 0, purpose: RandomPurpose.bootstrap });
    let covered = 0;
    const trials = 4000;
    for (let trial = 0; trial < trials; trial++) {
      const { interval } = meanInterval(Array.from({ length: 3 }, () => 5 + 2 * stream.gaussian()))!;
      if (interval!.low <= 5 && interval!.high >= 5) covered++;
    }
    // Five standard deviations of a coin that falls so 95 times in 100.
    expect(Math.abs(covered / trials - 0.95)).toBeLessThan(5 * Math.sqrt((0.95 * 0.05) / trials));
  });
});
