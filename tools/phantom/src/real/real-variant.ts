/**
 * Many scans from a few lungs. Each use of a CT gives its lung the density of another depth of breath (less air per
 * voxel) and adds the grain of a lower dose; every second one is mirrored. Without that a network learns the lungs by
 * heart, and fails on a patient whose lung is 180 HU denser, which is how far 3DCT_lung and 4DCT_chest are apart.
 */
import type { RandomStream } from '@lunastream/random';
import { continuousIrc, ircToXyz, xyzMm, xyzToContinuousIrc, type Volume } from '@lunastream/volume';
import type { RealChest } from './real-chest.ts';
import { ScannerNoise } from '../scanner-noise.ts';
import type { Vector } from '../geometry/vector.ts';

// From a deep breath to half exhaled; a lung that is denser already stays as it is.
const PARENCHYMA_RANGE_HU = [-900, -740] as const;
const BLOOD_HU = 40;
const ADDED_NOISE_HU = [2, 25] as const;
// The change sets in over this depth, so that it leaves no seam at the pleura.
const ONSET_MM = 4;

/** A copy with left and right exchanged. The grid stays, so the mirrored patient lies in the same place. */
export function mirroredChest(chest: RealChest): RealChest {
  const { volume, findings } = chest;
  const { geometry } = volume;
  const { width } = geometry.shape;
  const voxelsHu = volume.voxelsHu.slice();
  for (let line = 0; line < voxelsHu.length; line += width) voxelsHu.subarray(line, line + width).reverse();
  const mirroredPoint = (point: Vector): Vector => {
    const [index, row, column] = xyzToContinuousIrc(geometry, xyzMm(...point));
    return ircToXyz(geometry, continuousIrc(index, row, width - 1 - column));
  };
  return {
    ...chest,
    volume: { geometry, voxelsHu },
    lung: chest.lung.mirrored(),
    findings: {
      vessels: findings.vessels.map(mirroredPoint),
      bifurcations: findings.bifurcations.map(mirroredPoint),
      airways: findings.airways.map(mirroredPoint),
      pleura: findings.pleura.map(mirroredPoint),
    },
  };
}

/** Moves the lung's HU toward blood, in place, so that plain lung comes to a drawn density, which is returned. */
export function exhale({ volume, lung, parenchymaHu }: RealChest, random: RandomStream): number {
  const targetHu = random.uniformBetween(...PARENCHYMA_RANGE_HU);
  const share = Math.max(0, (targetHu - parenchymaHu) / (BLOOD_HU - parenchymaHu));
  const { height, width } = volume.geometry.shape;
  const { voxelsHu } = volume;
  const { start, shape } = lung.box;
  for (let line = 0; line < shape.depth * shape.height; line++) {
    const index = start[0] + Math.floor(line / shape.height);
    const row = start[1] + (line % shape.height);
    const voxel = (index * height + row) * width + start[2];
    for (let column = 0; column < shape.width; column++) {
      const depthMm = lung.boxDepthsMm[line * shape.width + column]!;
      const before = voxelsHu[voxel + column]!;
      if (depthMm === 0 || before >= BLOOD_HU) continue;
      const onset = Math.min(1, depthMm / ONSET_MM);
      voxelsHu[voxel + column] = Math.round(before + onset * share * (BLOOD_HU - before));
    }
  }
  return parenchymaHu + share * (BLOOD_HU - parenchymaHu);
}

/** Adds the grain of a lower dose, in place. */
export function lowerDose(volume: Volume, random: RandomStream): void {
  const noise = new ScannerNoise(random.uniformBetween(...ADDED_NOISE_HU), random);
  for (let index = 0; index < volume.geometry.shape.depth; index++) noise.addToSlice(volume, index);
}
