import { sharedDataPath } from '@lunastream/testing';
import { xyzMm } from '@lunastream/volume';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDiameterMatcher } from './match-diameter.ts';
import { readAnnotations, type Annotation } from './read-annotations.ts';

const nodule = (seriesUid: string, x: number, diameterMm: number): Annotation => ({
  seriesUid,
  centerXyzMm: xyzMm(x, 0, 0),
  diameterMm,
});

describe('createDiameterMatcher()', () => {
  it('matches up to a quarter of the diameter on each axis, equality included', () => {
    const match = createDiameterMatcher([nodule('a', 0, 8)]);
    expect(match('a', xyzMm(2, 2, -2))).toBe(8); // 3.46 mm away: a box test, not a ball
    expect(match('a', xyzMm(2.001, 0, 0))).toBe(0);
    expect(match('a', xyzMm(0, -2.001, 0))).toBe(0);
    expect(match('a', xyzMm(0, 0, 2.001))).toBe(0);
  });

  it('takes the first match in file order, not the nearest, and asks its own series only', () => {
    const match = createDiameterMatcher([nodule('b', 1, 99), nodule('a', 0, 8), nodule('a', 1, 4)]);
    expect(match('a', xyzMm(1, 0, 0))).toBe(8);
    expect(match('a', xyzMm(2, 0, 0))).toBe(8);
    expect(match('c', xyzMm(0, 0, 0))).toBe(0);
  });

  const lunaCsv = sharedDataPath('luna-csv');
  it.skipIf(!lunaCsv)(
    "gives each of LUNA16's 1186 annotations its own diameter [needs shared data luna-csv]",
    async () => {
      const annotations = await readAnnotations(join(lunaCsv!, 'annotations.csv'));
      const match = createDiameterMatcher(annotations);
      const foreign = annotations.filter(
        ({ seriesUid, centerXyzMm, diameterMm }) => match(seriesUid, centerXyzMm) !== diameterMm,
      );
      expect(foreign).toEqual([]);
    },
  );
});
