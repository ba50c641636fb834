import { xyzMm, type Matrix3, type VolumeGeometry } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { occupancyOf } from './insert-nodule.ts';
import {
  sampleNoduleShape,
  shapeOf,
  sphereVolumeMm3,
  surfaceRadiusMm,
  type NoduleShape,
} from './nodule-shape.ts';
import { stageStream } from '../random-stages.ts';
import { evenDirections, randomDirection } from '../geometry/vector.ts';

const IDENTITY: Matrix3 = [1, 0, 0, 0, 1, 0, 0, 0, 1];
// A rotation by 30 degrees about the head axis.
const TURNED: Matrix3 = [
  Math.cos(0.5236),
  -Math.sin(0.5236),
  0,
  Math.sin(0.5236),
  Math.cos(0.5236),
  0,
  0,
  0,
  1,
];

function grid(spacing: readonly [number, number, number], direction: Matrix3): VolumeGeometry {
  const [x, y, z] = spacing;
  const shape = { depth: Math.ceil(60 / z), height: Math.ceil(60 / y), width: Math.ceil(60 / x) };
  return { shape, originXyzMm: xyzMm(-30, -30, -30), spacingXyzMm: xyzMm(...spacing), direction };
}

const GRIDS: [string, VolumeGeometry][] = [
  ['LUNA16-like', grid([0.7, 0.7, 1.25], IDENTITY)],
  ['coarse', grid([1.95, 1.95, 2.5], IDENTITY)],
  ['oblique', { ...grid([0.8, 0.8, 2], TURNED), originXyzMm: xyzMm(-11, -41, -30) }],
];

const OUTLINES = ['smooth', 'lobulated', 'spiculated'] as const;

/** The first shape of a stream that has the surface. */
function shapeWith(surface: NoduleShape['surface'], diameterMm: number): NoduleShape {
  const random = stageStream(5, 0, 2);
  for (let draw = 0; draw < 100; draw++) {
    const shape = sampleNoduleShape(diameterMm, random);
    if (shape.surface === surface) return shape;
  }
  throw new Error(`no ${surface} shape of ${diameterMm} mm in 100 draws`);
}

function renderedVolumeMm3(geometry: VolumeGeometry, shape: NoduleShape): number {
  const { fraction } = occupancyOf(geometry, [0.4, -0.3, 0.2], shape, { blurMm: [1, 0.6, 0.6] })!;
  const [x, y, z] = geometry.spacingXyzMm;
  return fraction.reduce((sum, share) => sum + share, 0) * x * y * z;
}

describe.each(GRIDS)('a nodule rendered on a %s grid', (_, geometry) => {
  it.each([3, 5, 8, 15, 30])('of %d mm has the volume of the sphere within 5 %%', (diameterMm) => {
    const shape = shapeOf(diameterMm, { surface: 'smooth', lobes: [], spicules: [] });
    const ratio = renderedVolumeMm3(geometry, shape) / sphereVolumeMm3(diameterMm);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
  });

  it.each(OUTLINES)('that is %s has the volume of the sphere of its diameter within 5 %%', (surface) => {
    const shape = shapeWith(surface, 12);
    expect(Math.abs(renderedVolumeMm3(geometry, shape) / sphereVolumeMm3(12) - 1)).toBeLessThan(0.05);
  });
});

describe('sampleNoduleShape()', () => {
  it('states radii that enclose the surface in every direction', () => {
    const random = stageStream(9, 0, 2);
    for (let draw = 0; draw < 30; draw++) {
      const shape = sampleNoduleShape(random.uniformBetween(3, 30), random);
      for (let probe = 0; probe < 300; probe++) {
        const radiusMm = surfaceRadiusMm(shape, randomDirection(random));
        expect(radiusMm).toBeGreaterThanOrEqual(shape.minRadiusMm);
        expect(radiusMm).toBeLessThanOrEqual(shape.maxRadiusMm);
      }
    }
  });

  it('makes rough surfaces rougher: the spread of radii grows from smooth to spiculated', () => {
    const spread = (shape: NoduleShape) => {
      const radii = evenDirections(500).map((direction) => surfaceRadiusMm(shape, direction));
      return Math.max(...radii) / Math.min(...radii);
    };
    expect(spread(shapeWith('smooth', 12))).toBeLessThan(spread(shapeWith('spiculated', 12)));
  });

  it('gives no spicules to nodules under 8 mm', () => {
    const random = stageStream(1, 0, 2);
    const surfaces = new Set(Array.from({ length: 200 }, () => sampleNoduleShape(5, random).surface));
    expect([...surfaces].sort()).toEqual(['lobulated', 'smooth']);
  });
});
