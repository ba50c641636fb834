import { describe, expect, it } from 'vitest';
import { CONSTANT_RATE, learningRateAt, type LearningRateSchedule } from './learning-rate.ts';

/** Rates of every step of a run of 4 epochs with 2 steps each. */
function ratesOf(schedule: Partial<LearningRateSchedule>): number[] {
  return [1, 2, 3, 4].flatMap((epoch) =>
    [0, 1].map((step) =>
      learningRateAt(0.1, { ...CONSTANT_RATE, ...schedule }, { epoch, epochs: 4, step, stepsPerEpoch: 2 }),
    ),
  );
}

function expectRates(actual: readonly number[], expected: readonly number[]): void {
  for (const [index, rate] of actual.entries())
    expect(rate, `step ${index}`).toBeCloseTo(expected[index]!, 12);
}

describe('learningRateAt()', () => {
  it('stays as it is without a schedule', () => {
    expect(ratesOf({})).toEqual(Array(8).fill(0.1));
  });

  it('falls in steps of epochs, as PyTorch’s StepLR', () => {
    const rates = [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05];
    expectRates(ratesOf({ schedule: 'step', stepEpochs: 2, stepFactor: 0.5 }), rates);
  });

  it('falls along a cosine to nothing, as PyTorch’s CosineAnnealingLR by step', () => {
    const rates = Array.from({ length: 8 }, (_, step) => 0.05 * (1 + Math.cos((Math.PI * step) / 8)));
    expectRates(ratesOf({ schedule: 'cosine' }), rates);
  });

  it('rises in a line first, and never is 0', () => {
    expectRates(ratesOf({ warmupEpochs: 2 }), [0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.1]);
    const rates = ratesOf({ warmupEpochs: 2, schedule: 'cosine' });
    expect(rates[3]).toBe(0.1);
    expectRates(
      rates.slice(4),
      [0, 1, 2, 3].map((step) => 0.05 * (1 + Math.cos((Math.PI * step) / 4))),
    );
    expect(Math.min(...rates)).toBeGreaterThan(0);
  });
});
