import { describe, expect, it } from 'vitest';
import { median, medianMs } from './measure.ts';

describe('median()', () => {
  it('takes the middle value, or the mean of two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('refuses no values', () => {
    expect(() => median([])).toThrow('Cannot take a median: there must be a value, got none');
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
