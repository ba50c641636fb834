import { describe, expect, it } from 'vitest';
import { ceilingFigures, type CeilingMeasures } from './training-ceiling.ts';

const MEASURES: CeilingMeasures = {
  webgpu: () => Promise.resolve({ teraflops: 40, gigabytesPerSecond: 3000 }),
  tensorflow: () => Promise.resolve({ teraflops: 50 }),
};

describe('ceilingFigures()', () => {
  it('tells what the device of each engine can do, and the share of it that is done', async () => {
    expect(await ceilingFigures('webgpu', 10_000, MEASURES)).toEqual({
      ceiling_gflops: 40_000,
      share_of_ceiling: 0.25,
      ceiling_gb_per_second: 3000,
    });
    expect(await ceilingFigures('tensorflow', 10_000, MEASURES)).toEqual({
      ceiling_gflops: 50_000,
      share_of_ceiling: 0.2,
    });
  });

  it('says where none is measured', async () => {
    expect(await ceilingFigures('simd', 236, MEASURES)).toEqual({
      ceiling: 'not measured for simd: its kernels have a roofline in docs/engine.md',
    });
  });
});
