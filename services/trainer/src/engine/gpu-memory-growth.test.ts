import { describe, expect, it } from 'vitest';
import { growGpuMemory } from './gpu-memory-growth.ts';

describe('growGpuMemory()', () => {
  it('lets TensorFlow take memory as it needs it, unless the user says otherwise', () => {
    const environment: Record<string, string | undefined> = {};
    growGpuMemory(environment);
    expect(environment).toEqual({ TF_FORCE_GPU_ALLOW_GROWTH: 'true' });
    const chosen = { TF_FORCE_GPU_ALLOW_GROWTH: 'false' };
    growGpuMemory(chosen);
    expect(chosen).toEqual({ TF_FORCE_GPU_ALLOW_GROWTH: 'false' });
  });
});
