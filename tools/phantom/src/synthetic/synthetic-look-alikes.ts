/** The negatives of a synthetic scan: places on its vessels and pleura, and structures drawn for the purpose. */
import type { RandomStream } from '@lunastream/random';
import type { Volume } from '@lunastream/volume';
import { drawTube, type TubePaint } from './draw-tube.ts';
import {
  drawLookAlikes,
  pointSource,
  type LookAlike,
  type LookAlikeKind,
  type LookAlikeRequest,
  type LookAlikeSource,
} from '../look-alikes.ts';
import type { SyntheticLung } from './synthetic-lung.ts';
import {
  add,
  cross,
  normalised,
  randomDirection,
  randomPerpendicular,
  scaled,
  type Vector,
} from '../geometry/vector.ts';
import type { VesselPiece } from './vessel-tree.ts';

/** Places of the vessel tree that lie in the scan's lung, in patient coordinates. */
export interface TreePlaces {
  readonly vessels: readonly Vector[];
  readonly bifurcations: readonly Vector[];
  readonly airways: readonly Vector[];
}

interface Strip {
  readonly centre: Vector;
  readonly along: Vector;
  readonly across: Vector;
  readonly lengthMm: number;
  readonly widthMm: number;
  readonly radiusMm: number;
}

const PLEURA_DEPTH_MM = [0.5, 3] as const;
const DEEP_MM = 6;
const ATTEMPTS = 400;
const PIECES_PER_HALF = 3;
// Length of the random vector added to a heading of length 1 at each bend.
const BEND = 0.25;

function sampleAtDepth(
  lung: SyntheticLung,
  depthMm: readonly [number, number],
  random: RandomStream,
): Vector | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const point = lung.samplePoint(random);
    const depth = lung.depthMm(point);
    if (depth >= depthMm[0] && depth <= depthMm[1]) return point;
  }
  return undefined;
}

/** A slightly bent vessel through `centre`, thick in its middle and tapering off at both ends. */
function bentVessel(
  centre: Vector,
  direction: Vector,
  size: { readonly lengthMm: number; readonly radiusMm: number },
  random: RandomStream,
): VesselPiece[] {
  const step = size.lengthMm / (2 * PIECES_PER_HALF);
  const radiusAt = (place: number) => size.radiusMm * Math.sqrt(1 - 0.9 * (place / PIECES_PER_HALF) ** 2);
  return [1, -1].flatMap((sign) => {
    let from = centre;
    let heading = scaled(direction, sign);
    return Array.from({ length: PIECES_PER_HALF }, (_, place) => {
      heading = normalised(add(heading, scaled(randomDirection(random), BEND)));
      const to = add(from, scaled(heading, step));
      const piece = { from, to, fromRadiusMm: radiusAt(place), toRadiusMm: radiusAt(place + 1) };
      from = to;
      return piece;
    });
  });
}

/** Bent vessels side by side that make a band, thin in the third direction. */
function stripTubes(strip: Strip, random: RandomStream): VesselPiece[] {
  const count = Math.max(1, Math.round(strip.widthMm / strip.radiusMm));
  return Array.from({ length: count }, (_, place) => {
    const shift = (place - (count - 1) / 2) * strip.radiusMm;
    const lengthMm = strip.lengthMm * random.uniformBetween(0.6, 1);
    const middle = add(strip.centre, scaled(strip.across, shift));
    return bentVessel(middle, strip.along, { lengthMm, radiusMm: strip.radiusMm }, random);
  }).flat();
}

/** The tubes that make a drawn look-alike; none for a kind that is there already. */
function tubesOf({ kind, centre }: LookAlike, lung: SyntheticLung, random: RandomStream): VesselPiece[] {
  const along = randomDirection(random);
  switch (kind) {
    case 'crossing': {
      const radiusMm = random.uniformBetween(0.9, 1.9);
      const length = () => random.uniformBetween(18, 32);
      const thinner = radiusMm * random.uniformBetween(0.6, 1);
      return [
        ...bentVessel(centre, along, { lengthMm: length(), radiusMm }, random),
        ...bentVessel(centre, randomDirection(random), { lengthMm: length(), radiusMm: thinner }, random),
      ];
    }
    case 'stub': {
      const lengthMm = random.uniformBetween(8, 14);
      return bentVessel(centre, along, { lengthMm, radiusMm: random.uniformBetween(0.8, 1.5) }, random);
    }
    case 'scar-band': {
      const across = randomPerpendicular(along, random);
      const lengthMm = random.uniformBetween(16, 28);
      const widthMm = random.uniformBetween(8, 16);
      const radiusMm = random.uniformBetween(0.7, 1.2);
      return stripTubes({ centre, along, across, lengthMm, widthMm, radiusMm }, random);
    }
    case 'pleural-bump': {
      const inward = lung.inward(centre);
      const tangent = randomPerpendicular(inward, random);
      const across = cross(inward, tangent);
      const lengthMm = random.uniformBetween(10, 18);
      const widthMm = random.uniformBetween(6, 12);
      const radiusMm = random.uniformBetween(1.2, 2.2);
      return stripTubes({ centre, along: tangent, across, lengthMm, widthMm, radiusMm }, random);
    }
    case 'vessel':
    case 'bifurcation':
    case 'airway':
    case 'pleura':
    case 'parenchyma':
      return [];
  }
}

function sourcesOf(lung: SyntheticLung, places: TreePlaces): LookAlikeSource[] {
  const at = (kind: LookAlikeKind, share: number, depthMm: readonly [number, number]): LookAlikeSource => ({
    kind,
    share,
    next: (random) => sampleAtDepth(lung, depthMm, random),
  });
  const deep = [DEEP_MM, Infinity] as const;
  return [
    pointSource('vessel', 0.2, places.vessels),
    pointSource('bifurcation', 0.25, places.bifurcations),
    pointSource('airway', 0.05, places.airways),
    at('crossing', 0.12, deep),
    at('stub', 0.08, deep),
    at('scar-band', 0.05, deep),
    at('pleural-bump', 0.05, PLEURA_DEPTH_MM),
    at('pleura', 0.1, PLEURA_DEPTH_MM),
    at('parenchyma', 0.1, [0, Infinity]),
  ];
}

/** Chooses `request.count` negatives, and draws those into `volume` (in place) that are not there yet. */
export function placeSyntheticLookAlikes(
  volume: Volume,
  lung: SyntheticLung,
  places: TreePlaces,
  request: LookAlikeRequest,
): LookAlike[] {
  const found = drawLookAlikes(sourcesOf(lung, places), request);
  const paint: TubePaint = { tissueHu: 30, surroundingHu: lung.parenchymaHu, mode: 'brighten' };
  for (const lookAlike of found) {
    for (const piece of tubesOf(lookAlike, lung, request.random)) drawTube(volume, piece, paint);
  }
  return found;
}
