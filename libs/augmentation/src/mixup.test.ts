import { describe, expect, it } from 'vitest';
import { mixLabels, mixSamples } from './mixup.ts';

describe('mixSamples()', () => {
  const sample = Float32Array.of(-1000, 0, 400);
  const partner = Float32Array.of(0, 100, 400);

  it('weighs the sample with lambda and its partner with the rest', () => {
    expect([...mixSamples(sample, partner, 0.75)]).toEqual([-750, 25, 400]);
    expect([...mixSamples(sample, partner, 1)]).toEqual([...sample]);
    expect([...mixSamples(sample, partner, 0)]).toEqual([...partner]);
  });

  it('leaves its inputs alone, unless told to write over one', () => {
    const own = sample.slice();
    mixSamples(own, partner, 0.5);
    expect(own).toEqual(sample);
    expect(mixSamples(own, partner, 0.5, own)).toBe(own);
    expect([...own]).toEqual([-500, 50, 400]);
  });

  it('refuses samples of different sizes and weights out of range', () => {
    expect(() => mixSamples(sample, partner.subarray(1), 0.5)).toThrow(
      'Cannot mix two samples: partner and result must have 3 voxels, got 2 and 3',
    );
    expect(() => mixSamples(sample, partner, Number.NaN)).toThrow('lambda must be in 0..1, got NaN');
  });
});

describe('mixLabels()', () => {
  it('gives the soft label', () => {
    expect(mixLabels(1, 0, 0.25)).toBe(0.25);
    expect(mixLabels(1, 1, 0.3)).toBeCloseTo(1, 15);
    expect(mixLabels(0, 0, 0.3)).toBe(0);
  });

  it('refuses what is no probability', () => {
    expect(() => mixLabels(2, 0, 0.5)).toThrow('labels must be in 0..1, got 2');
  });
});
