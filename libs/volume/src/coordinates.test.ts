import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShape, irc, parseShape, voxelCount, xyzMm } from './coordinates.ts';

describe('irc() and xyzMm()', () => {
  it('refuse what is no voxel and no place', () => {
    expect(() => irc(1, 2.5, 3)).toThrow('components must be integers, got [1, 2.5, 3]');
    expect(() => xyzMm(0, Number.NaN, 0)).toThrow('components must be finite, got [0, NaN, 0]');
  });
});

describe('shapes', () => {
  it('parseShape() reads what formatShape() writes', () => {
    const extent = fc.integer({ min: 1, max: 99_999 });
    fc.assert(
      fc.property(fc.record({ depth: extent, height: extent, width: extent }), (shape) => {
        expect(parseShape(formatShape(shape))).toEqual(shape);
      }),
    );
  });

  it('parseShape() refuses everything else', () => {
    for (const text of [
      '',
      '32x48',
      '32x48x48x1',
      '0x1x1',
      '-1x1x1',
      '1.5x1x1',
      '32X48X48',
      ' 1x1x1',
      '01x1x1',
    ]) {
      expect(() => parseShape(text), text).toThrow(/32x48x48/);
    }
  });

  it('voxelCount() multiplies the extents', () => {
    expect(voxelCount({ depth: 32, height: 48, width: 47 })).toBe(32 * 48 * 47);
  });
});
