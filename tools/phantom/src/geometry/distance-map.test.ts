import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distanceToMm } from './distance-map.ts';

const SHAPE = { depth: 4, height: 5, width: 6 };
const SPACING = [2.5, 1.1, 0.7] as const;
const VOXELS = SHAPE.depth * SHAPE.height * SHAPE.width;

function position(offset: number): [number, number, number] {
  const slice = SHAPE.height * SHAPE.width;
  return [
    Math.floor(offset / slice) * SPACING[0],
    (Math.floor(offset / SHAPE.width) % SHAPE.height) * SPACING[1],
    (offset % SHAPE.width) * SPACING[2],
  ];
}

function bruteForce(mask: Uint8Array, target: 0 | 1): number[] {
  return Array.from(mask, (_, from) => {
    let nearest = Infinity;
    mask.forEach((value, to) => {
      const [a, b] = [position(from), position(to)];
      if (value === target) nearest = Math.min(nearest, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
    });
    return nearest;
  });
}

describe('distanceToMm()', () => {
  it('equals the distance to the nearest target voxel, for any mask on an anisotropic grid', () => {
    const masks = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: VOXELS, maxLength: VOXELS });
    fc.assert(
      fc.property(masks, fc.constantFrom(0 as const, 1 as const), (values, target) => {
        const mask = Uint8Array.from(values, (value) => (value === 0 ? target : 1 - target));
        const distances = distanceToMm(mask, target, { shape: SHAPE, spacingIrcMm: SPACING });
        bruteForce(mask, target).forEach((expected, offset) => {
          if (expected === Infinity) expect(distances[offset]).toBe(Infinity);
          else expect(distances[offset]).toBeCloseTo(expected, 4);
        });
      }),
      { numRuns: 60 },
    );
  });
});
