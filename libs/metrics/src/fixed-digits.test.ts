import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedDigits } from './fixed-digits.ts';

describe('fixedDigits()', () => {
  // format(value, '.<digits>f') in CPython 3.11.
  it.each([
    [0.03125, 4, '0.0312'],
    [0.09375, 4, '0.0938'],
    [0.15625, 4, '0.1562'],
    [56.25, 1, '56.2'],
    [18.75, 1, '18.8'],
    [0.25, 1, '0.2'],
    [0.75, 1, '0.8'],
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [-0.25, 1, '-0.2'],
    [2.675, 2, '2.67'],
    [1.005, 2, '1.00'],
    [0.00005, 4, '0.0001'],
    [0.00015, 4, '0.0001'],
    [99.95, 1, '100.0'],
    [924.34, 4, '924.3400'],
    [1e-9, 4, '0.0000'],
    [Number.NaN, 4, 'nan'],
    [Infinity, 1, 'inf'],
    [-Infinity, 1, '-inf'],
  ])('formats %d with %i digits as Python does: %s', (value, digits, expected) => {
    expect(fixedDigits(value, digits)).toBe(expected);
  });

  it('formats undefined as nan', () => {
    expect(fixedDigits(undefined, 4)).toBe('nan');
  });

  it('never ends odd on a tie, and is toFixed() elsewhere', () => {
    // Odd sixteenths are ties at 3 digits (and only there); odd thirty-seconds are not.
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (n) => {
        const tie = (2 * n + 1) / 16;
        expect(Number(fixedDigits(tie, 3).at(-1)) % 2).toBe(0);
        expect(Math.abs(Number(fixedDigits(tie, 3)) - tie)).toBeCloseTo(0.0005, 9);
        const noTie = (2 * n + 1) / 32;
        expect(fixedDigits(noTie, 3)).toBe(noTie.toFixed(3));
      }),
    );
  });
});
