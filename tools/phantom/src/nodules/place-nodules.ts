/** Where nodules go: alone in the lung, on a vessel or at the pleura, and never into one another. */
import type { RandomStream } from '@lunastream/random';
import { xyzMm, xyzToContinuousIrc, type VolumeGeometry } from '@lunastream/volume';
import type { NoduleBody } from './insert-nodule.ts';
import type { Lung } from '../lung.ts';
import { sampleNoduleDiameterMm } from './nodule-diameter.ts';
import { sampleNoduleShape } from './nodule-shape.ts';
import { sampleNoduleTissue } from './nodule-tissue.ts';
import { add, distance, randomDirection, scaled, type Vector } from '../geometry/vector.ts';
import { extentsOf, spacingIrcMm } from '../geometry/voxel-box.ts';

export type Attachment = 'isolated' | 'vessel' | 'pleura';

export interface PlacedNodule extends NoduleBody {
  readonly attachment: Attachment;
}

export interface NoduleSite {
  readonly geometry: VolumeGeometry;
  readonly lung: Lung;
  /** Points on vessels of the lung; empty allowed (then no nodule is attached to one). */
  readonly vesselPoints: readonly Vector[];
  readonly parenchymaHu: number;
}

const GAP_MM = 4;
const ATTEMPTS_PER_NODULE = 4000;
// An isolated nodule keeps this far from the pleura and, where it can, from larger vessels.
const FREE_MARGIN_MM = 2;

/** The nodule and its margin lie in the scan: a nodule cut by the border would not have the diameter stated. */
function fitsScan(geometry: VolumeGeometry, centre: Vector, radiusMm: number): boolean {
  const position = xyzToContinuousIrc(geometry, xyzMm(...centre));
  const spacing = spacingIrcMm(geometry);
  return extentsOf(geometry.shape).every((extent, axis) => {
    const reach = radiusMm / spacing[axis]!;
    return position[axis]! >= reach && position[axis]! <= extent - 1 - reach;
  });
}

function proposeCentre(
  site: NoduleSite,
  attachment: Attachment,
  radiusMm: number,
  random: RandomStream,
): Vector {
  if (attachment !== 'vessel') return site.lung.samplePoint(random);
  const point = site.vesselPoints[random.integerBelow(site.vesselPoints.length)]!;
  return add(point, scaled(randomDirection(random), radiusMm * random.uniformBetween(0.5, 1)));
}

function suits(site: NoduleSite, attachment: Attachment, centre: Vector, radiusMm: number): boolean {
  const depth = site.lung.depthMm(centre);
  switch (attachment) {
    case 'pleura':
      return depth > 0.5 * radiusMm && depth < 0.95 * radiusMm;
    case 'vessel':
      return depth > 0.8 * radiusMm;
    case 'isolated':
      return (
        depth > radiusMm + FREE_MARGIN_MM &&
        site.vesselPoints.every((point) => distance(point, centre) > Math.min(radiusMm, 5) + FREE_MARGIN_MM)
      );
  }
}

function sampleAttachment(site: NoduleSite, random: RandomStream): Attachment {
  const pick = random.uniform();
  if (pick < 0.25) return 'pleura';
  return pick < 0.5 && site.vesselPoints.length > 0 ? 'vessel' : 'isolated';
}

/**
 * Draws `count` nodules and places them; the largest first, while there is room. No two come nearer than 4 mm, every
 * centre lies in the lung, and every nodule wholly in the scan. Returns fewer when no room is found.
 */
export function placeNodules(site: NoduleSite, count: number, random: RandomStream): PlacedNodule[] {
  const diametersMm = Array.from({ length: count }, () => sampleNoduleDiameterMm(random)).sort(
    (a, b) => b - a,
  );
  const placed: PlacedNodule[] = [];
  for (const diameterMm of diametersMm) {
    const shape = sampleNoduleShape(diameterMm, random);
    const tissue = sampleNoduleTissue(diameterMm, site.parenchymaHu, random);
    let attachment = sampleAttachment(site, random);
    for (let attempt = 0; attempt < ATTEMPTS_PER_NODULE; attempt++) {
      // A large nodule may find no free place between the vessels: then it sits on one.
      if (attempt === ATTEMPTS_PER_NODULE / 2) attachment = attachment === 'isolated' ? 'pleura' : 'isolated';
      const centre = proposeCentre(site, attachment, diameterMm / 2, random);
      const isFree = placed.every(
        (other) => distance(other.centre, centre) > other.shape.maxRadiusMm + shape.maxRadiusMm + GAP_MM,
      );
      if (!isFree || !fitsScan(site.geometry, centre, shape.maxRadiusMm)) continue;
      if (!suits(site, attachment, centre, diameterMm / 2)) continue;
      placed.push({ centre, shape, tissue, attachment });
      break;
    }
  }
  return placed;
}
