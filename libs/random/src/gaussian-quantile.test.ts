import { describe, expect, it } from 'vitest';
import { gaussianQuantile } from './gaussian-quantile.ts';

describe('gaussianQuantile()', () => {
  // The check values printed in the AS 241 paper, and scipy.stats.norm.ppf (1.16) for the rest.
  it.each([
    [0.25, -0.6744897501960817],
    [0.001, -3.090232306167813],
    [1e-20, -9.26234008979841],
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.9999, 3.719016485455709],
  ])('of %f is %f to 1e-14 relative', (probability, expected) => {
    expect(Math.abs(gaussianQuantile(probability) - expected)).toBeLessThanOrEqual(
      1e-14 * Math.max(1, Math.abs(expected)),
    );
  });

  it('is infinite at 0 and 1, and NaN outside', () => {
    expect(gaussianQuantile(0)).toBe(-Infinity);
    expect(gaussianQuantile(1)).toBe(Infinity);
    expect(gaussianQuantile(-0.1)).toBeNaN();
  });
});
