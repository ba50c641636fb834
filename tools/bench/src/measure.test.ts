import { describe, expect, it } from 'vitest';
import { median, medianMs, medianStepMs, quantile } from './measure.ts';

describe('median()', () => {
  it('takes the middle value, or the mean of two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('refuses no values', () => {
    expect(() => median([])).toThrow('Cannot take a median: there must be a value, got none');
  });
});

describe('quantile()', () => {
  it('takes the smallest value that the share does not exceed', () => {
    const values = [5, 1, 4, 2, 3];
    expect([0, 0.2, 0.5, 0.8, 0.99, 1].map((q) => quantile(values, q))).toEqual([1, 1, 3, 4, 5, 5]);
    expect(() => quantile([], 0.5)).toThrow('Cannot take a quantile: there must be a value, got none');
  });
});

describe('medianMs()', () => {
  it('repeats the work in one round more than asked for, and tells a positive time', async () => {
    let calls = 0;
    const ms = await medianMs(() => void calls++, { rounds: 3, minRoundMs: 0 });
    expect(calls).toBe(4);
    expect(ms).toBeGreaterThan(0);
  });
});

describe('medianStepMs()', () => {
  it('begins a step before the one before has ended, never two, and tells the time of one', async () => {
    let clockMs = 0;
    let under = 0;
    let most = 0;
    let last: Promise<unknown> = Promise.resolve();
    // A device: steps take effect one after the other, 100 ms each.
    const step = () => {
      most = Math.max(most, ++under);
      last = last.then(() => {
        clockMs += 100;
        under--;
      });
      return last;
    };
    expect(await medianStepMs(step, () => clockMs)).toBe(100);
    expect(most).toBe(2);
    expect(under).toBe(0);
  });
});
