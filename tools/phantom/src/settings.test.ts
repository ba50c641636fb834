import { describe, expect, it } from 'vitest';
import type { PhantomSettingsError } from './errors.ts';
import { compilePhantomSettings, type RawPhantomSettings } from './settings.ts';

const GOOD: RawPhantomSettings = { background: 'synthetic', seed: 7, scanCount: 2, nodulesPerScan: 3 };

describe('compilePhantomSettings()', () => {
  it('fills in 40 negatives per nodule and 96x160x160', () => {
    expect(compilePhantomSettings(GOOD)).toEqual({
      ...GOOD,
      negativesPerNodule: 40,
      shape: { depth: 96, height: 160, width: 160 },
    });
    expect(compilePhantomSettings({ ...GOOD, background: 'real' })).not.toHaveProperty('shape');
  });

  it.each([
    [{ seed: -1 }, 'seed must be an integer in 0..4294967295, got -1'],
    [{ seed: 2 ** 32 }, 'seed must be an integer in 0..4294967295, got 4294967296'],
    [{ scanCount: 0 }, 'scanCount must be an integer in 1..10000, got 0'],
    [{ nodulesPerScan: 2.5 }, 'nodulesPerScan must be an integer in 1..200, got 2.5'],
    [{ negativesPerNodule: Number.NaN }, 'negativesPerNodule must be an integer in 1..1000, got NaN'],
    [{ shape: { depth: 8, height: 160, width: 160 } }, 'shape.depth must be an integer in 32..1024, got 8'],
    [{ background: 'lung' as 'real' }, 'background must be synthetic or real, got lung'],
    [
      { background: 'real' as const, shape: { depth: 96, height: 160, width: 160 } },
      'shape must be left out with background real, whose CTs have theirs, got 96x160x160',
    ],
  ])('refuses %j: %s', (change, fault) => {
    expect(() => compilePhantomSettings({ ...GOOD, ...change })).toThrow(fault);
  });

  it('reports all faults at once', () => {
    try {
      compilePhantomSettings({ ...GOOD, seed: -1, scanCount: 0, nodulesPerScan: 0 });
      expect.unreachable();
    } catch (error) {
      expect((error as PhantomSettingsError).faults).toHaveLength(3);
    }
  });
});
