/**
 * The outline of a simulated nodule: a star-shaped solid r(direction) = scale * (1 + lobes + spicules), in mm round its
 * centre. Lobes are zonal harmonics (Legendre polynomials of degree 2 to 4) about random axes, which span all smooth
 * outlines of that order; spicules are narrow bumps. The scale is set so that the solid has exactly the volume of a
 * sphere of the wanted diameter: that diameter is what annotations.csv states.
 */
import type { RandomStream } from '@lunastream/random';
import { dot, evenDirections, randomDirection, type Vector } from '../geometry/vector.ts';

interface Lobe {
  readonly axis: Vector;
  readonly degree: 2 | 3 | 4;
  readonly weight: number;
}

interface Spicule {
  readonly axis: Vector;
  /** Height over the outline as a fraction of the mean radius. */
  readonly height: number;
  /** 1 / (angular width in radians)^2. */
  readonly sharpness: number;
}

export type Surface = 'smooth' | 'lobulated' | 'spiculated';

export interface NoduleShape {
  readonly surface: Surface;
  /** Of the sphere of equal volume, in mm. */
  readonly diameterMm: number;
  readonly lobes: readonly Lobe[];
  readonly spicules: readonly Spicule[];
  /** mm per unit of the outline. */
  readonly scaleMm: number;
  /** The solid holds the ball of `minRadiusMm` and lies in the ball of `maxRadiusMm`. */
  readonly minRadiusMm: number;
  readonly maxRadiusMm: number;
}

// Enough that the volume of the sharpest outline is right to 1 % (test "has the volume of the sphere").
const QUADRATURE_DIRECTIONS = evenDirections(2000);
// Between two sampled directions the outline may lie a little beyond both.
const RADIUS_MARGIN = 0.04;
// Below this diameter spicules are thinner than any CT resolves.
const MIN_SPICULATED_DIAMETER_MM = 8;
const SPICULE_WIDTH_MM = 1;

function legendre(degree: 2 | 3 | 4, t: number): number {
  const squared = t * t;
  switch (degree) {
    case 2:
      return (3 * squared - 1) / 2;
    case 3:
      return ((5 * squared - 3) * t) / 2;
    case 4:
      return ((35 * squared - 30) * squared + 3) / 8;
  }
}

function outlineAt(lobes: readonly Lobe[], spicules: readonly Spicule[], direction: Vector): number {
  let radius = 1;
  for (const lobe of lobes) radius += lobe.weight * legendre(lobe.degree, dot(direction, lobe.axis));
  for (const spicule of spicules) {
    const closeness = spicule.sharpness * (dot(direction, spicule.axis) - 1);
    if (closeness > -8) radius += spicule.height * Math.exp(closeness);
  }
  // A lobe may not dig through the centre.
  return Math.max(0.3, radius);
}

/** Distance in mm from the centre to the surface along the unit vector `direction`. */
export function surfaceRadiusMm(shape: NoduleShape, direction: Vector): number {
  return shape.scaleMm * outlineAt(shape.lobes, shape.spicules, direction);
}

/** Volume of a sphere of `diameterMm`, in mm³. */
export function sphereVolumeMm3(diameterMm: number): number {
  return (Math.PI / 6) * diameterMm ** 3;
}

/** The shape of the given outline with the volume of a sphere of `diameterMm`. */
export function shapeOf(
  diameterMm: number,
  outline: Pick<NoduleShape, 'surface' | 'lobes' | 'spicules'>,
): NoduleShape {
  const { lobes, spicules } = outline;
  const radii = QUADRATURE_DIRECTIONS.map((direction) => outlineAt(lobes, spicules, direction));
  // The volume of r(direction) is the integral of r^3 / 3 over the sphere: 4 pi / 3 times the mean of r^3.
  const meanCube = radii.reduce((sum, radius) => sum + radius ** 3, 0) / radii.length;
  const scaleMm = diameterMm / 2 / Math.cbrt(meanCube);
  const tips = spicules.map(({ axis }) => outlineAt(lobes, spicules, axis));
  return {
    ...outline,
    diameterMm,
    scaleMm,
    minRadiusMm: scaleMm * Math.min(...radii) * (1 - RADIUS_MARGIN),
    maxRadiusMm: scaleMm * Math.max(...radii, ...tips) * (1 + RADIUS_MARGIN),
  };
}

function sampleLobes(surface: Surface, random: RandomStream): Lobe[] {
  const elongation: Lobe = {
    axis: randomDirection(random),
    degree: 2,
    weight: random.uniformBetween(-0.08, 0.2),
  };
  const count = surface === 'smooth' ? 1 : 3 + random.integerBelow(4);
  const largest = surface === 'smooth' ? 0.05 : 0.17;
  const others = Array.from({ length: count }, () => ({
    axis: randomDirection(random),
    degree: (2 + random.integerBelow(3)) as 2 | 3 | 4,
    weight: random.uniformBetween(-largest / 2, largest),
  }));
  return [elongation, ...others];
}

function sampleSpicules(diameterMm: number, random: RandomStream): Spicule[] {
  const widthRadians = SPICULE_WIDTH_MM / (diameterMm / 2);
  return Array.from({ length: 7 + random.integerBelow(10) }, () => ({
    axis: randomDirection(random),
    height: random.uniformBetween(0.15, 0.5),
    sharpness: 1 / widthRadians ** 2,
  }));
}

/** Draws an outline for `diameterMm`: two in five are smooth, the others lobulated or, from 8 mm up, spiculated. */
export function sampleNoduleShape(diameterMm: number, random: RandomStream): NoduleShape {
  const pick = random.uniform();
  const canHaveSpicules = diameterMm >= MIN_SPICULATED_DIAMETER_MM;
  const surface: Surface =
    pick < 0.4 ? 'smooth' : pick < 0.75 || !canHaveSpicules ? 'lobulated' : 'spiculated';
  return shapeOf(diameterMm, {
    surface,
    lobes: sampleLobes(surface, random),
    spicules: surface === 'spiculated' ? sampleSpicules(diameterMm, random) : [],
  });
}
