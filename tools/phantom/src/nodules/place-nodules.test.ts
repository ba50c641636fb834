import { xyzMm } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import type { Lung } from '../lung.ts';
import { placeNodules, type NoduleSite } from './place-nodules.ts';
import { stageStream } from '../random-stages.ts';
import { distance, norm, scaled, type Vector } from '../geometry/vector.ts';

const RADIUS_MM = 60;

/** A lung that is a ball round the origin. */
const ball: Lung = {
  depthMm: (point) => RADIUS_MM - norm(point),
  samplePoint(random) {
    for (;;) {
      const point: Vector = [
        random.uniformBetween(-60, 60),
        random.uniformBetween(-60, 60),
        random.uniformBetween(-60, 60),
      ];
      if (norm(point) < RADIUS_MM) return point;
    }
  },
};
const site: NoduleSite = {
  geometry: {
    shape: { depth: 120, height: 120, width: 120 },
    originXyzMm: xyzMm(-60, -60, -60),
    spacingXyzMm: xyzMm(1, 1, 1),
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  },
  lung: ball,
  vesselPoints: [-40, -20, 0, 20, 40].map((x) => [x, 0, 0]),
  parenchymaHu: -860,
};
const place = (count: number, seed = 4) => placeNodules(site, count, stageStream(seed, 0, 2));

describe('placeNodules()', () => {
  const nodules = [1, 2, 3, 4].flatMap((seed) => place(8, seed));

  it('places as many as asked when there is room, of 3 to 30 mm, with the centre in the lung', () => {
    expect(nodules).toHaveLength(32);
    for (const { centre, shape } of nodules) {
      expect(ball.depthMm(centre)).toBeGreaterThan(0);
      expect(shape.diameterMm).toBeGreaterThanOrEqual(3);
      expect(shape.diameterMm).toBeLessThanOrEqual(30);
    }
  });

  it('keeps 4 mm between the farthest points of any two', () => {
    const placed = place(20);
    placed.forEach((a, first) => {
      for (const b of placed.slice(first + 1)) {
        const gapMm = distance(a.centre, b.centre) - a.shape.maxRadiusMm - b.shape.maxRadiusMm;
        expect(gapMm).toBeGreaterThan(4);
      }
    });
  });

  it('attaches some to the pleura, some to vessels, and leaves others free', () => {
    const kinds = new Set(nodules.map(({ attachment }) => attachment));
    expect([...kinds].sort()).toEqual(['isolated', 'pleura', 'vessel']);
    for (const { attachment, centre, shape } of nodules) {
      const radiusMm = shape.diameterMm / 2;
      const depthMm = ball.depthMm(centre);
      const toVesselMm = Math.min(...site.vesselPoints.map((point) => distance(point, centre)));
      if (attachment === 'pleura') expect(depthMm).toBeLessThan(radiusMm);
      if (attachment === 'isolated') expect(depthMm).toBeGreaterThan(radiusMm + 2);
      if (attachment === 'vessel') expect(toVesselMm).toBeLessThanOrEqual(radiusMm * 1.0001);
    }
  });

  it('keeps every nodule wholly in the scan', () => {
    const shifted = {
      ...site,
      geometry: { ...site.geometry, shape: { depth: 60, height: 120, width: 120 } },
    };
    for (const { centre, shape } of placeNodules(shifted, 8, stageStream(4, 0, 2))) {
      expect(centre[2] + shape.maxRadiusMm).toBeLessThanOrEqual(-1);
    }
  });

  it('returns fewer when the lung is full', () => {
    const tiny: Lung = {
      depthMm: (point) => 12 - norm(point),
      samplePoint: (random) => scaled(ball.samplePoint(random), 0.2),
    };
    expect(placeNodules({ ...site, lung: tiny }, 40, stageStream(4, 0, 2)).length).toBeLessThan(40);
  });
});
