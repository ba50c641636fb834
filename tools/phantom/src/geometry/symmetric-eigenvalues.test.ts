import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { symmetricEigenvalues } from './symmetric-eigenvalues.ts';

describe('symmetricEigenvalues()', () => {
  it('sorts the diagonal of a diagonal matrix', () => {
    const [low, middle, high] = symmetricEigenvalues([
      [3, 0, 0],
      [0, -2, 0],
      [0, 0, 1],
    ]);
    expect(low).toBeCloseTo(-2, 12);
    expect(middle).toBeCloseTo(1, 12);
    expect(high).toBeCloseTo(3, 12);
  });

  it('gives three equal values for a multiple of the identity', () => {
    expect(
      symmetricEigenvalues([
        [4, 0, 0],
        [0, 4, 0],
        [0, 0, 4],
      ]),
    ).toEqual([4, 4, 4]);
  });

  it('has the trace as sum and the determinant as product', () => {
    const entry = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(entry, entry, entry, entry, entry, entry, (a, b, c, d, e, f) => {
        const values = symmetricEigenvalues([
          [a, d, e],
          [d, b, f],
          [e, f, c],
        ]);
        const determinant = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e);
        expect(values[0] + values[1] + values[2]).toBeCloseTo(a + b + c, 8);
        expect(values[0] * values[1] * values[2]).toBeCloseTo(determinant, 6);
        expect(values[0]).toBeLessThanOrEqual(values[1] + 1e-9);
        expect(values[1]).toBeLessThanOrEqual(values[2] + 1e-9);
      }),
    );
  });
});
