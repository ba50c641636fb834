import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crossEntropy } from './cross-entropy.ts';

const logit = fc.double({ min: -50, max: 50, noNaN: true });

describe('crossEntropy()', () => {
  it('of equal logits is ln 2, whatever the label', () => {
    for (const label of [0, 0.3, 1]) expect(crossEntropy([4, 4], label).loss).toBeCloseTo(Math.LN2, 15);
  });

  it('is -ln P(label)', () => {
    fc.assert(
      fc.property(logit, logit, fc.boolean(), (no, yes, nodule) => {
        const { loss, probability } = crossEntropy([no, yes], Number(nodule));
        const ofLabel = 1 / (1 + Math.exp(nodule ? no - yes : yes - no));
        expect(loss).toBeCloseTo(-Math.log(ofLabel), 9);
        expect(probability).toBeCloseTo(1 / (1 + Math.exp(no - yes)), 12);
      }),
    );
  });

  it('neither overflows nor underflows to NaN at extreme logits', () => {
    expect(crossEntropy([900, 0], 1)).toEqual({ loss: 900, probability: 0, logitGradient: [1, -1] });
    expect(crossEntropy([0, 900], 1)).toEqual({ loss: 0, probability: 1, logitGradient: [-0, 0] });
  });

  it('gives NaN for a diverged model, not a number that looks like one', () => {
    const { loss, probability } = crossEntropy([Number.NaN, 0], 1);
    expect(loss).toBeNaN();
    expect(probability).toBeNaN();
  });

  it('has the gradient that differences show, also for mixed labels', () => {
    fc.assert(
      fc.property(logit, logit, fc.double({ min: 0, max: 1, noNaN: true }), (no, yes, label) => {
        const step = 1e-4;
        const { logitGradient } = crossEntropy([no, yes], label);
        const byNo =
          (crossEntropy([no + step, yes], label).loss - crossEntropy([no - step, yes], label).loss) /
          (2 * step);
        expect(logitGradient[0]).toBeCloseTo(byNo, 6);
        expect(logitGradient[1]).toBeCloseTo(-byNo, 6);
      }),
    );
  });
});
