import { describe, expect, it } from 'vitest';
import {
  batchStatistics,
  INITIAL_RUNNING_STATISTICS,
  normalisationGradients,
  normaliseVoxels,
  updateRunningStatistics,
} from './input-normalisation.ts';

describe('batchStatistics()', () => {
  it('gives mean and biased variance', () => {
    expect(batchStatistics(Float32Array.of(-1000, -600, 0, 400))).toEqual({ mean: -300, variance: 290_000 });
  });

  it('keeps its digits far from zero', () => {
    const { mean, variance } = batchStatistics(
      Float32Array.from({ length: 100_000 }, (_, i) => 30_000 + (i % 2)),
    );
    expect(mean).toBe(30_000.5);
    expect(variance).toBe(0.25);
  });
});

describe('updateRunningStatistics()', () => {
  it('moves a tenth of the way, to the unbiased variance', () => {
    const updated = updateRunningStatistics(INITIAL_RUNNING_STATISTICS, { mean: -300, variance: 290_000 }, 4);
    expect(updated.mean).toBe(-30);
    expect(updated.variance).toBeCloseTo(0.9 + (0.1 * 290_000 * 4) / 3, 2);
    expect(updated.batchesTracked).toBe(1);
  });
});

describe('normaliseVoxels()', () => {
  it('gives mean 0 and variance 1, into a new array', () => {
    const voxels = Float32Array.of(-1000, -600, 0, 400);
    const statistics = batchStatistics(normaliseVoxels(voxels, batchStatistics(voxels)));
    expect(statistics.mean).toBeCloseTo(0, 6);
    expect(statistics.variance).toBeCloseTo(1, 6);
    expect([...voxels]).toEqual([-1000, -600, 0, 400]);
  });

  it('stays finite for a constant chunk', () => {
    const voxels = new Float32Array(8).fill(-1000);
    expect([...normaliseVoxels(voxels, batchStatistics(voxels))]).toEqual(Array(8).fill(0));
  });
});

describe('normalisationGradients()', () => {
  it('sums the output gradient, weighted by the normalised input for the scale', () => {
    const gradients = normalisationGradients(Float32Array.of(1, -2, 3), Float32Array.of(0.5, 0.25, -1));
    expect(gradients).toEqual({ scale: -3, shift: -0.25 });
  });
});
