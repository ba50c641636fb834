import { describe, expect, it } from 'vitest';
import type { EpochRecord } from './epoch-record.ts';
import { detectOverfitting, overfittingWarning } from './overfitting.ts';

const RECORD: EpochRecord = {
  epoch: 1,
  split: 'val',
  samples_seen: 0,
  tp: 1,
  fp: 1,
  tn: 1,
  fn: 1,
  loss_all: 0.1,
  loss_neg: 0.1,
  loss_pos: 1,
  precision: 0.5,
  recall: 0.5,
  f1: 0.5,
  f2: 0.5,
  f05: 0.5,
  pr_auc: 0.5,
  roc_auc: 0.5,
  threshold: 0.5,
  non_finite: 0,
  recall_at_fpr: 0.5,
  fpr_limit: 0.01,
};

type Loss = number | null;
/** Both splits of epochs 1, 2, ..., with these losses/pos. */
function recordsOf(validated: readonly Loss[], trained?: readonly Loss[]): EpochRecord[] {
  return validated.flatMap((loss, index) => [
    { ...RECORD, epoch: index + 1, split: 'trn', loss_pos: trained ? trained[index]! : 1 / (index + 1) },
    { ...RECORD, epoch: index + 1, loss_pos: loss },
  ]);
}

const RISING = [0.9, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5];
const FALLING = [...RISING].reverse();

describe('detectOverfitting()', () => {
  it('finds validation that rises while training falls, and the epoch to keep', () => {
    expect(detectOverfitting(recordsOf(RISING))).toEqual({
      epoch: 9,
      sinceEpoch: 3,
      rise: expect.closeTo(0.6 / 1.2, 12) as number,
      chance: expect.closeTo(1 / 5040, 12) as number,
      latestLoss: 1.5,
      keepEpoch: 2,
      keepLoss: 0.8,
    });
  });

  it.each([
    ['falling validation', FALLING, FALLING],
    ['constant validation', RISING.map(() => 0.8), FALLING],
    ['a clear rise of less than 20%', RISING.map((loss) => 1 + loss / 5), FALLING],
    ['training that rises too', RISING, RISING],
  ])('says nothing about %s', (_, validated, trained) => {
    expect(detectOverfitting(recordsOf(validated, trained))).toBeUndefined();
  });

  it('holds training that wavers for good enough', () => {
    const wavering = [0.02, 0.01, 0.02, 0.01, 0.02, 0.01, 0.02, 0.01, 0.02];
    expect(detectOverfitting(recordsOf(RISING, wavering))).toBeDefined();
  });

  it('needs six epochs', () => {
    const steep = [1, 2, 3, 4, 5, 6];
    expect(detectOverfitting(recordsOf(steep.slice(0, 5)))).toBeUndefined();
    expect(detectOverfitting(recordsOf(steep))).toMatchObject({ sinceEpoch: 1, keepEpoch: 1 });
    expect(detectOverfitting([])).toBeUndefined();
  });

  it('advises the earliest of equally good epochs', () => {
    expect(detectOverfitting(recordsOf([0.8, ...RISING]))).toMatchObject({ keepEpoch: 1, keepLoss: 0.8 });
  });

  it('asks for a clearer trend at later looks', () => {
    // In both 7 of the window's 45 pairs fall: a chance of 0.0023, between 0.05 / 40 and 0.05 / 13.
    const means = [1.2, 1, 1.1, 1.5, 1.3, 1.4, 1.8, 1.6, 1.65, 1.7];
    const early = recordsOf([2, 2, 2, ...means]);
    const late = recordsOf([...Array<number>(10).fill(2), ...means.flatMap((mean) => [mean, mean, mean])]);
    expect(detectOverfitting(early)).toMatchObject({ epoch: 13, sinceEpoch: 4 });
    expect(detectOverfitting(late)).toBeUndefined();
  });

  it('takes means of neighbours in long runs: a fall in the first quarter is not looked at', () => {
    const long = Array.from({ length: 80 }, (_, index) => (index < 20 ? 5 - index / 5 : 1 + index / 40));
    const overfitting = detectOverfitting(recordsOf(long))!;
    expect(overfitting).toMatchObject({ epoch: 80, sinceEpoch: 21, keepEpoch: 20 });
    // Ten means without an inversion: one order of 10!.
    expect(overfitting.chance).toBeCloseTo(1 / 3_628_800, 15);
  });

  it('leaves out epochs without a loss and takes the others in their order, whatever the order of the records', () => {
    const withGaps: Loss[] = RISING.flatMap((loss) => [loss, null]);
    const records = recordsOf(withGaps).reverse();
    expect(detectOverfitting(records)).toMatchObject({ epoch: 17, sinceEpoch: 5, keepEpoch: 3 });
    const validationOnly = recordsOf(RISING).filter(({ split }) => split === 'val');
    expect(detectOverfitting(validationOnly)).toBeUndefined();
  });
});

describe('overfittingWarning()', () => {
  it('is a sentence with the advice', () => {
    expect(overfittingWarning(recordsOf(RISING))).toBe(
      'E9 val: the model overfits: val_pos loss has risen by 50% since epoch 3 while trn_pos loss has not; ' +
        'keep epoch 2 (val_pos loss 0.8000, now 1.5000)',
    );
  });

  it('is undefined when all is well', () => {
    expect(overfittingWarning(recordsOf(FALLING))).toBeUndefined();
  });
});
