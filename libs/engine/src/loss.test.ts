import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleLoss } from './loss.ts';

const logit = fc.double({ min: -50, max: 50, noNaN: true });

describe('sampleLoss()', () => {
  it('of equal logits is ln 2, whatever the label', () => {
    for (const label of [0, 0.3, 1]) expect(sampleLoss([4, 4], label).loss).toBeCloseTo(Math.LN2, 15);
  });

  it('is -ln P(label)', () => {
    fc.assert(
      fc.property(logit, logit, fc.boolean(), (no, yes, nodule) => {
        const { loss, probability } = sampleLoss([no, yes], Number(nodule));
        const ofLabel = 1 / (1 + Math.exp(nodule ? no - yes : yes - no));
        expect(loss).toBeCloseTo(-Math.log(ofLabel), 9);
        expect(probability).toBeCloseTo(1 / (1 + Math.exp(no - yes)), 12);
      }),
    );
  });

  it('neither overflows nor underflows to NaN at extreme logits', () => {
    expect(sampleLoss([900, 0], 1)).toEqual({ loss: 900, probability: 0, logitGradient: [1, -1] });
    expect(sampleLoss([0, 900], 1)).toEqual({ loss: 0, probability: 1, logitGradient: [-0, 0] });
  });

  it('gives NaN for a diverged model, not a number that looks like one', () => {
    const { loss, probability } = sampleLoss([Number.NaN, 0], 1);
    expect(loss).toBeNaN();
    expect(probability).toBeNaN();
  });

  it('has the gradient that differences show, also for mixed labels', () => {
    fc.assert(
      fc.property(logit, logit, fc.double({ min: 0, max: 1, noNaN: true }), (no, yes, label) => {
        const step = 1e-4;
        const { logitGradient } = sampleLoss([no, yes], label);
        const byNo =
          (sampleLoss([no + step, yes], label).loss - sampleLoss([no - step, yes], label).loss) / (2 * step);
        expect(logitGradient[0]).toBeCloseTo(byNo, 6);
        expect(logitGradient[1]).toBeCloseTo(-byNo, 6);
      }),
    );
  });

  it('trains the weighted and focused loss that differences show', () => {
    const rules = fc.record({
      positiveWeight: fc.double({ min: 0.1, max: 20, noNaN: true }),
      focusing: fc.constantFrom(0, 0.5, 1, 2, 5),
    });
    const trained = (margin: number, label: number, weight: number, gamma: number) => {
      const p = 1 / (1 + Math.exp(-margin));
      const q = 1 / (1 + Math.exp(margin));
      return -weight * label * q ** gamma * Math.log(p) - (1 - label) * p ** gamma * Math.log(q);
    };
    const margins = fc.double({ min: -12, max: 12, noNaN: true });
    fc.assert(
      fc.property(margins, fc.double({ min: 0, max: 1, noNaN: true }), rules, (margin, label, rule) => {
        const { positiveWeight, focusing } = rule;
        const { loss, logitGradient } = sampleLoss([0, margin], label, rule);
        const at = (m: number) => trained(m, label, positiveWeight, focusing);
        const slope = (at(margin + 1e-5) - at(margin - 1e-5)) / 2e-5;
        expect(logitGradient[1]).toBeCloseTo(slope, 5);
        expect(logitGradient[0]).toBe(-logitGradient[1]);
        // Told is the plain cross entropy all the same.
        expect(loss).toBe(sampleLoss([0, margin], label).loss);
      }),
    );
  });

  it('stays finite and keeps its signs where a focused sample is certain', () => {
    for (const focusing of [0.5, 2]) {
      const rule = { positiveWeight: 3, focusing };
      expect(sampleLoss([0, 900], 1, rule).logitGradient[1]).toBeCloseTo(0, 12);
      expect(sampleLoss([900, 0], 1, rule).logitGradient[1]).toBe(-3);
    }
  });
});
