import { describe, expect, it } from 'vitest';
import { BestEpoch } from './best-epoch.ts';

describe('BestEpoch', () => {
  it('keeps the first of equal scores and counts the validations after it', () => {
    const best = new BestEpoch('f1');
    const isBest = [undefined, 0.2, 0.5, 0.5, 0.4].map((score, index) => best.note(index + 1, score));
    expect(isBest).toEqual([false, true, true, false, false]);
    expect([best.epoch, best.validationsSince]).toEqual([3, 2]);
    expect(best.sentence()).toBe('Best f1 0.5000 in epoch 3');
  });

  it('says that there is none while every score is undefined', () => {
    const best = new BestEpoch('recall');
    expect(best.note(1, undefined)).toBe(false);
    expect([best.epoch, best.validationsSince]).toEqual([0, 1]);
    expect(best.sentence()).toBe('No best epoch: recall was undefined in every validation');
  });
});
