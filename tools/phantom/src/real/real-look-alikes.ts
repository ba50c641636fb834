/**
 * Finds on a real CT what a nodule detector stumbles over. Bright spots are maxima of a difference of Gaussians, the
 * classical blob filter; the curvatures there (eigenvalues of the Hessian) tell a tube, bright along one axis, from a
 * place where tubes meet, bright in all directions (Frangi et al., "Multiscale vessel enhancement filtering", 1998).
 */
import { continuousIrc, ircToXyz, type Volume } from '@lunastream/volume';
import { blurInPlace } from '../geometry/gaussian-blur.ts';
import { pointSource, type LookAlikeSource } from '../look-alikes.ts';
import type { MaskLung } from './lung-mask.ts';
import { symmetricEigenvalues } from '../geometry/symmetric-eigenvalues.ts';
import type { Vector } from '../geometry/vector.ts';
import { copyBox, spacingIrcMm } from '../geometry/voxel-box.ts';

export interface LungFindings {
  readonly vessels: readonly Vector[];
  readonly bifurcations: readonly Vector[];
  readonly airways: readonly Vector[];
  readonly pleura: readonly Vector[];
}

const FINE_SIGMA_MM = 1.6;
const COARSE_SIGMA_MM = 4;
// How far a spot must stand out of its surroundings to be a finding, in HU of the filter's response.
const BRIGHT_SPOT_HU = 70;
const DARK_SPOT_HU = -25;
// Spots nearer to the lung's edge show the edge itself.
const EDGE_MM = 5;
const PLEURA_DEPTH_MM = [0.5, 4] as const;
const PLEURA_STEP = 13;
// |smallest| / |largest| curvature: 0 on a straight tube, 1 in the middle of a ball.
const TUBE_ROUNDNESS = 0.22;
// Beyond these, bone and air outside would outweigh what lies in the lung.
const HU_RANGE = [-1000, 100] as const;

interface Field {
  readonly values: Float32Array;
  readonly strides: readonly [number, number, number];
  readonly spacing: readonly [number, number, number];
}

function isExtremum(response: Float32Array, offset: number, [slice, line]: Field['strides']): boolean {
  const value = response[offset]!;
  const sign = Math.sign(value);
  for (let index = -slice; index <= slice; index += slice) {
    for (let row = -line; row <= line; row += line) {
      for (let column = -1; column <= 1; column++) {
        const step = index + row + column;
        // Of equal neighbours the first in C order counts, so that a plateau gives one spot.
        const other = response[offset + step]! * sign;
        if (step !== 0 && (step < 0 ? other >= value * sign : other > value * sign)) return false;
      }
    }
  }
  return true;
}

/** |smallest| / |largest| of the curvatures at `offset`, 0 when they do not all have one sign. */
function roundness({ values, strides, spacing }: Field, offset: number): number {
  const second = (a: number, b: number): number => {
    const along = strides[a]!;
    const across = strides[b]!;
    const area = spacing[a]! * spacing[b]!;
    if (a === b) {
      return (values[offset + along]! - 2 * values[offset]! + values[offset - along]!) / area;
    }
    const same = values[offset + along + across]! + values[offset - along - across]!;
    const opposite = values[offset + along - across]! + values[offset - along + across]!;
    return (same - opposite) / (4 * area);
  };
  const [low, middle, high] = symmetricEigenvalues([
    [second(0, 0), second(0, 1), second(0, 2)],
    [second(0, 1), second(1, 1), second(1, 2)],
    [second(0, 2), second(1, 2), second(2, 2)],
  ]);
  if (low >= 0 || middle >= 0 || high >= 0) return 0;
  return high / low;
}

function blobResponse(volume: Volume, lung: MaskLung): { fine: Float32Array; response: Float32Array } {
  const { box } = lung;
  const hu = copyBox(volume.voxelsHu, volume.geometry.shape, box);
  const [lowest, highest] = HU_RANGE;
  const fine = new Float32Array(hu.length);
  for (let offset = 0; offset < hu.length; offset++) {
    const value = hu[offset]!;
    fine[offset] = value < lowest ? lowest : value > highest ? highest : value;
  }
  const coarse = fine.slice();
  const spacing = spacingIrcMm(volume.geometry);
  const inVoxels = (sigmaMm: number) => spacing.map((step) => sigmaMm / step) as [number, number, number];
  blurInPlace(fine, box.shape, inVoxels(FINE_SIGMA_MM));
  blurInPlace(coarse, box.shape, inVoxels(COARSE_SIGMA_MM));
  const response = coarse;
  for (let offset = 0; offset < response.length; offset++) response[offset] = fine[offset]! - coarse[offset]!;
  return { fine, response };
}

/** Looks through the lung on `volume`; points are patient coordinates of voxel centres. Nothing is changed. */
export function findLookAlikes(volume: Volume, lung: MaskLung): LungFindings {
  const { fine, response } = blobResponse(volume, lung);
  const { depth, height, width } = lung.box.shape;
  const field: Field = {
    values: fine,
    strides: [height * width, width, 1],
    spacing: spacingIrcMm(volume.geometry),
  };
  const found = {
    vessels: [] as Vector[],
    bifurcations: [] as Vector[],
    airways: [] as Vector[],
    pleura: [] as Vector[],
  };
  const pointAt = (offset: number) => ircToXyz(volume.geometry, continuousIrc(...lung.voxelAt(offset)));
  const huAt = (offset: number) => {
    const [index, row, column] = lung.voxelAt(offset);
    const { shape } = volume.geometry;
    return volume.voxelsHu[(index * shape.height + row) * shape.width + column]!;
  };
  let offset = 0;
  for (let index = 0; index < depth; index++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++, offset++) {
        const depthMm = lung.boxDepthsMm[offset]!;
        const isAtBorder =
          index === 0 ||
          index === depth - 1 ||
          row === 0 ||
          row === height - 1 ||
          column === 0 ||
          column === width - 1;
        if (depthMm === 0 || isAtBorder) continue;
        const isPleura = depthMm >= PLEURA_DEPTH_MM[0] && depthMm <= PLEURA_DEPTH_MM[1];
        if (isPleura && offset % PLEURA_STEP === 0) found.pleura.push(pointAt(offset));
        if (depthMm < EDGE_MM) continue;
        const value = response[offset]!;
        if (value < BRIGHT_SPOT_HU && value > DARK_SPOT_HU) continue;
        if (!isExtremum(response, offset, field.strides)) continue;
        // A hole in something bright is the end of a bronchus, whose wall outshines its lumen.
        if (value > 0 && huAt(offset) < fine[offset]!) continue;
        if (value < 0) found.airways.push(pointAt(offset));
        else if (roundness(field, offset) < TUBE_ROUNDNESS) found.vessels.push(pointAt(offset));
        else found.bifurcations.push(pointAt(offset));
      }
    }
  }
  return found;
}

/** The sources of negatives of a real scan: its findings, and plain lung for a tenth. */
export function realLookAlikeSources(findings: LungFindings, lung: MaskLung): LookAlikeSource[] {
  return [
    pointSource('vessel', 0.4, findings.vessels),
    pointSource('bifurcation', 0.25, findings.bifurcations),
    pointSource('airway', 0.1, findings.airways),
    pointSource('pleura', 0.15, findings.pleura),
    { kind: 'parenchyma', share: 0.1, next: (random) => lung.samplePoint(random) },
  ];
}
