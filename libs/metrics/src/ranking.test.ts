import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { averagePrecision, rocAuc } from './ranking.ts';

const samples = fc.array(
  // Few distinct probabilities, so that ties are common.
  fc.record({
    label: fc.constantFrom(0, 1),
    probability: fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  }),
  { maxLength: 60 },
);
const split = (items: readonly { label: number; probability: number }[]) =>
  [items.map(({ label }) => label), items.map(({ probability }) => probability)] as const;

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
        const actual = rocAuc(labels, probabilities);
        if (expected === undefined) expect(actual).toBeUndefined();
        else expect(actual).toBeCloseTo(expected, 12);
      }),
    );
  });

  it('turns into 1 - AUC when the labels are exchanged', () => {
    fc.assert(
      fc.property(samples, (items) => {
        const [labels, probabilities] = split(items);
        const auc = rocAuc(labels, probabilities);
        fc.pre(auc !== undefined);
        const exchanged = labels.map((label) => 1 - label);
        expect(rocAuc(exchanged, probabilities)).toBeCloseTo(1 - auc, 12);
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
        expect(area(labels, transformed)).toBe(area(labels, probabilities));
      }),
    );
  });

  it('does not depend on the order of the samples', () => {
    fc.assert(
      fc.property(samples, (items) => {
        expect(area(...split([...items].reverse()))).toBe(area(...split(items)));
      }),
    );
  });

  it('is undefined when a class is absent', () => {
    expect(area([1, 1], [0.2, 0.9])).toBeUndefined();
    expect(area([0, 0], [0.2, 0.9])).toBeUndefined();
    expect(area([], [])).toBeUndefined();
  });

  it('leaves out non-finite probabilities', () => {
    const labels = [1, 0, 1, 0, 1];
    const withGaps = [0.9, 0.8, Number.NaN, Infinity, 0.3];
    expect(area(labels, withGaps)).toBe(area([1, 0, 1], [0.9, 0.8, 0.3]));
  });

  it('refuses arrays of different lengths', () => {
    expect(() => area([1], [0.5, 0.5])).toThrow(/Cannot rank predictions: labels must hold 2 values/);
  });

  it("ranks a full LUNA16 validation set's 55,107 samples in a moment", () => {
    const labels = Uint8Array.from({ length: 55_107 }, (__, i) => Number(i % 407 === 0));
    const probabilities = Float32Array.from({ length: 55_107 }, (__, i) => ((i * 2654435761) % 1e6) / 1e6);
    const startedMs = performance.now();
    expect(area(labels, probabilities)).toBeDefined();
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});

describe('averagePrecision()', () => {
  it('is the share of positives when all probabilities are equal', () => {
    expect(averagePrecision([1, 0, 0, 0], [0.7, 0.7, 0.7, 0.7])).toBe(0.25);
  });
});
