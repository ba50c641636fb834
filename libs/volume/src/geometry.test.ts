import { readGolden } from '@lunastream/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { irc, xyzMm } from './coordinates.ts';
import {
  assertGeometry,
  containsIrc,
  directionFromTransformMatrix,
  IDENTITY_DIRECTION,
  ircToXyz,
  xyzToContinuousIrc,
  xyzToIrc,
  type Matrix3,
  type VolumeGeometry,
} from './geometry.ts';
import { roundHalfEven } from './round-half-even.ts';

type Triple = [number, number, number];
interface GoldenPlace {
  readonly direction: string;
  readonly direction_matrix: [Triple, Triple, Triple];
  readonly origin_xyz: Triple;
  readonly vxSize_xyz: Triple;
  readonly xyz: Triple;
  readonly irc_expected: Triple;
}

const SHAPE = { depth: 100, height: 200, width: 300 };
const PLAIN: VolumeGeometry = {
  shape: SHAPE,
  originXyzMm: xyzMm(0, 0, 0),
  spacingXyzMm: xyzMm(1, 1, 1),
  direction: IDENTITY_DIRECTION,
};

/** A rotation from a quaternion: every rotation, each with its share. */
const rotation: fc.Arbitrary<Matrix3> = fc
  .tuple(...Array.from({ length: 4 }, () => fc.double({ min: -1, max: 1, noNaN: true })))
  .filter((q) => Math.hypot(...q) > 0.01)
  .map((q) => q.map((part) => part / Math.hypot(...q)) as [number, number, number, number])
  .map(([w, x, y, z]) => [
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  ]);
const mirrored: fc.Arbitrary<Matrix3> = rotation.map(
  ([a, b, c, d, e, f, g, h, i]) => [-a, b, c, -d, e, f, -g, h, i] as const,
);
const coordinateMm = fc.double({ min: -1000, max: 1000, noNaN: true });
const spacingMm = fc.double({ min: 0.1, max: 5, noNaN: true });
const geometry: fc.Arbitrary<VolumeGeometry> = fc.record({
  shape: fc.constant(SHAPE),
  originXyzMm: fc.tuple(coordinateMm, coordinateMm, coordinateMm).map((origin) => xyzMm(...origin)),
  spacingXyzMm: fc.tuple(spacingMm, spacingMm, spacingMm).map((spacing) => xyzMm(...spacing)),
  direction: fc.oneof(rotation, mirrored),
});

describe('xyzToIrc()', () => {
  const { xyz2irc } = readGolden<{ xyz2irc: GoldenPlace[] }>('geometry');

  it.each(xyz2irc.map((place, number) => ({ ...place, number })))(
    'finds the golden voxel of case $number ($direction)',
    (place) => {
      const golden: VolumeGeometry = {
        shape: SHAPE,
        originXyzMm: xyzMm(...place.origin_xyz),
        spacingXyzMm: xyzMm(...place.vxSize_xyz),
        direction: place.direction_matrix.flat() as unknown as Matrix3,
      };
      expect(xyzToIrc(golden, xyzMm(...place.xyz))).toEqual(place.irc_expected);
    },
  );

  it('undoes ircToXyz() for voxels under any rotation, mirrored or not', () => {
    const voxel = fc.tuple(...[SHAPE.depth, SHAPE.height, SHAPE.width].map((size) => fc.nat(size - 1)));
    fc.assert(
      fc.property(geometry, voxel, (random, [index, row, column]) => {
        const position = irc(index!, row!, column!);
        expect(xyzToIrc(random, ircToXyz(random, position))).toEqual(position);
      }),
    );
  });

  it('gives ties to the even voxel', () => {
    expect(xyzToIrc(PLAIN, xyzMm(2.5, 3.5, -0.5))).toEqual([0, 4, 2]);
  });

  it('puts a place beyond all arithmetic outside the volume', () => {
    for (const far of [1e300, -1e300, Number.MAX_VALUE]) {
      expect(containsIrc(SHAPE, xyzToIrc(PLAIN, xyzMm(far, far, far)))).toBe(false);
    }
    const tiny = { ...PLAIN, spacingXyzMm: xyzMm(1e-200, 1e-200, 1e-200) };
    expect(containsIrc(SHAPE, xyzToIrc(tiny, xyzMm(1e300, 0, 0)))).toBe(false);
  });
});

describe('ircToXyz()', () => {
  it('walks along column k of the direction matrix for axis k', () => {
    // A quarter turn about z: columns run along +y, rows along -x.
    const turned: VolumeGeometry = {
      ...PLAIN,
      spacingXyzMm: xyzMm(0.5, 2, 3),
      originXyzMm: xyzMm(10, 20, 30),
      direction: [0, -1, 0, 1, 0, 0, 0, 0, 1],
    };
    expect(ircToXyz(turned, irc(0, 0, 4))).toEqual([10, 22, 30]);
    expect(ircToXyz(turned, irc(0, 4, 0))).toEqual([2, 20, 30]);
    expect(ircToXyz(turned, irc(4, 0, 0))).toEqual([10, 20, 42]);
  });

  it('undoes xyzToContinuousIrc() for any place', () => {
    fc.assert(
      fc.property(geometry, fc.tuple(coordinateMm, coordinateMm, coordinateMm), (random, place) => {
        const back = ircToXyz(random, xyzToContinuousIrc(random, xyzMm(...place)));
        back.forEach((coordinate, axis) => expect(coordinate).toBeCloseTo(place[axis]!, 6));
      }),
    );
  });
});

describe('directionFromTransformMatrix()', () => {
  it('takes text triple k as the direction of axis k, as ITK does', () => {
    const direction = directionFromTransformMatrix([0, 1, 0, -1, 0, 0, 0, 0, 1]);
    expect(direction).toEqual([0, -1, 0, 1, 0, 0, 0, 0, 1]);
  });
});

describe('containsIrc()', () => {
  it('includes the first and last voxel of each axis and nothing beyond', () => {
    expect(containsIrc(SHAPE, irc(0, 0, 0))).toBe(true);
    expect(containsIrc(SHAPE, irc(99, 199, 299))).toBe(true);
    for (const outside of [
      irc(-1, 0, 0),
      irc(0, -1, 0),
      irc(0, 0, -1),
      irc(100, 0, 0),
      irc(0, 200, 0),
      irc(0, 0, 300),
    ]) {
      expect(containsIrc(SHAPE, outside)).toBe(false);
    }
  });
});

describe('assertGeometry()', () => {
  it.each([
    ['shape', { shape: { ...SHAPE, depth: 0 } }],
    ['spacingXyzMm', { spacingXyzMm: xyzMm(1, 0, 1) }],
    ['direction', { direction: [1, 0, 0, 2, 0, 0, 0, 0, 1] as Matrix3 }],
    ['direction', { direction: [Number.NaN, 0, 0, 0, 1, 0, 0, 0, 1] as Matrix3 }],
  ])('names the field %s that is wrong', (field, change) => {
    expect(() => assertGeometry({ ...PLAIN, ...change })).toThrow(
      `Cannot use volume geometry: ${field} must be`,
    );
  });
});

describe('roundHalfEven()', () => {
  it('rounds as NumPy does, and never to -0', () => {
    const values = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 2.4, -2.6];
    expect(values.map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, -2, 0, 2, -3]);
  });
});
