/** Draws tubes into a scan, with soft edges: vessels, bronchi, and the look-alikes made of them. */
import type { Volume } from '@lunastream/volume';
import { add, distance, scaled, type Vector } from '../geometry/vector.ts';
import { visitVoxels } from '../geometry/visit-voxels.ts';
import { boxRound } from '../geometry/voxel-box.ts';
import type { VesselPiece } from './vessel-tree.ts';

export interface TubePaint {
  readonly tissueHu: number;
  /** What lies around the tube: sets how bright its edge is. */
  readonly surroundingHu: number;
  /**
   * `brighten`: a voxel never gets darker, so that tubes which meet or overlap do so without a seam. `replace`: the tube
   * takes the place of what is there, as the air in a bronchus.
   */
  readonly mode: 'brighten' | 'replace';
}

/** The width in mm over which a scan blurs an edge: one and a half voxels. */
export function edgeWidthMm(volume: Volume): number {
  const [x, y, z] = volume.geometry.spacingXyzMm;
  return (x + y + z) / 2;
}

/**
 * Share of tissue that a scan shows `distanceMm` from the axis of a tube of `radiusMm`, when it blurs edges over `widthMm`.
 * In a tube thinner than that the share falls with the cross-section.
 */
export function tubeShare(distanceMm: number, radiusMm: number, widthMm: number): number {
  const seenRadius = Math.max(radiusMm, widthMm / 2);
  const ramp = Math.min(1, Math.max(0, 0.5 + (seenRadius - distanceMm) / widthMm));
  return ramp * (radiusMm / seenRadius) ** 2;
}

/** Draws one piece into `volume`, in place; parts outside the scan are left out. */
export function drawTube(volume: Volume, piece: VesselPiece, paint: TubePaint): void {
  const { from, to, fromRadiusMm, toRadiusMm } = piece;
  const widthMm = edgeWidthMm(volume);
  const lengthMm = distance(from, to);
  const reachMm = lengthMm / 2 + Math.max(fromRadiusMm, toRadiusMm) + widthMm;
  const box = boxRound(volume.geometry, scaled(add(from, to), 0.5), reachMm);
  if (box === undefined) return;
  const [ax, ay, az] = from;
  const axis: Vector = [to[0] - ax, to[1] - ay, to[2] - az];
  const squaredLength = Math.max(lengthMm * lengthMm, Number.MIN_VALUE);
  const { voxelsHu } = volume;
  const { tissueHu, surroundingHu, mode } = paint;
  visitVoxels(volume.geometry, box, (offset, x, y, z) => {
    const along = ((x - ax) * axis[0] + (y - ay) * axis[1] + (z - az) * axis[2]) / squaredLength;
    const part = along < 0 ? 0 : along > 1 ? 1 : along;
    const dx = x - ax - part * axis[0];
    const dy = y - ay - part * axis[1];
    const dz = z - az - part * axis[2];
    const radiusMm = fromRadiusMm + part * (toRadiusMm - fromRadiusMm);
    const share = tubeShare(Math.sqrt(dx * dx + dy * dy + dz * dz), radiusMm, widthMm);
    if (share === 0) return;
    const before = voxelsHu[offset]!;
    if (mode === 'replace') {
      voxelsHu[offset] = Math.round(before + share * (tissueHu - before));
    } else {
      voxelsHu[offset] = Math.max(before, Math.round(surroundingHu + share * (tissueHu - surroundingHu)));
    }
  });
}
