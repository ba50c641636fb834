/**
 * Writes a nodule into a scan as a scanner would have seen it: every voxel takes the mean of the tissue in it (partial
 * volume, by sub-sampling the outline), then the edge is blurred by the point spread. Both steps keep the volume.
 */
import { ircToXyz, continuousIrc, type Volume, type VolumeGeometry } from '@lunastream/volume';
import { blurInPlace, blurRadiusVoxels } from '../geometry/gaussian-blur.ts';
import { surfaceRadiusMm, type NoduleShape } from './nodule-shape.ts';
import type { NoduleTissue } from './nodule-tissue.ts';
import type { ScannerNoise } from '../scanner-noise.ts';
import { subtract, type Vector } from '../geometry/vector.ts';
import { boxRound, spacingIrcMm, type VoxelBox } from '../geometry/voxel-box.ts';

/** Share of each voxel of a box that something fills, 0..1, C order. */
export interface Occupancy {
  readonly box: VoxelBox;
  readonly fraction: Float32Array;
}

/** Standard deviation of a Gaussian along the index, row and column axis. */
export type BlurMm = readonly [index: number, row: number, column: number];

// Reconstruction grids are chosen about as fine as the scanner resolves: its point spread is about one voxel wide at
// half height.
const SCANNER_SIGMA_VOXELS = 0.42;

/** The blur of the scanner that made voxels of `spacingMm` [index, row, column]. */
export function scannerBlurOf(spacingMm: BlurMm): BlurMm {
  const [index, row, column] = spacingMm;
  return [index * SCANNER_SIGMA_VOXELS, row * SCANNER_SIGMA_VOXELS, column * SCANNER_SIGMA_VOXELS];
}

export interface NoduleBody {
  readonly centre: Vector;
  readonly shape: NoduleShape;
  readonly tissue: NoduleTissue;
}

// Bone and calcified plaque shine through: the nodule beside a rib does not soften the rib.
const DENSER_THAN_NODULE_HU = 160;
const FINEST_PITCH_MM = 0.15;
const COARSEST_PITCH_MM = 0.6;
const LOWEST_HU = -1024;

/** Offsets in mm, from a voxel's centre, of a regular lattice of points in the voxel. */
function subSamples(geometry: VolumeGeometry, diameterMm: number): Vector[] {
  const pitch = Math.min(COARSEST_PITCH_MM, Math.max(FINEST_PITCH_MM, diameterMm / 12));
  const counts = spacingIrcMm(geometry).map((spacing) => Math.ceil(spacing / pitch));
  const steps = counts.map((count) => Array.from({ length: count }, (_, step) => (step + 0.5) / count - 0.5));
  const middle = ircToXyz(geometry, continuousIrc(0, 0, 0));
  return steps[0]!.flatMap((index) =>
    steps[1]!.flatMap((row) =>
      steps[2]!.map((column) => subtract(ircToXyz(geometry, continuousIrc(index, row, column)), middle)),
    ),
  );
}

/** Is the point at `offset` from the centre in the solid, shrunk to `ratio` of its size? */
function isInside(shape: NoduleShape, offset: Vector, ratio: number): boolean {
  const squared = (offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2) / ratio ** 2;
  if (squared <= shape.minRadiusMm ** 2) return true;
  if (squared >= shape.maxRadiusMm ** 2) return false;
  const radius = Math.sqrt(squared);
  const unit = 1 / (radius * ratio);
  return radius <= surfaceRadiusMm(shape, [offset[0] * unit, offset[1] * unit, offset[2] * unit]);
}

function voxelFraction(
  shape: NoduleShape,
  offset: Vector,
  lattice: { readonly points: readonly Vector[]; readonly reachMm: number; readonly ratio: number },
): number {
  const { points, reachMm, ratio } = lattice;
  const distanceMm = Math.sqrt(offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2);
  if (distanceMm - reachMm >= shape.maxRadiusMm * ratio) return 0;
  if (distanceMm + reachMm <= shape.minRadiusMm * ratio) return 1;
  let inside = 0;
  for (const point of points) {
    if (isInside(shape, [offset[0] + point[0], offset[1] + point[1], offset[2] + point[2]], ratio)) inside++;
  }
  return inside / points.length;
}

/**
 * The share of every voxel near `centre` that lies in `shape` (shrunk to `ratio` of its size, default 1), after a blur
 * by `blurMm`. Undefined when none of it lies in the volume. Away from the volume's border the shares add up to the
 * shape's volume within 5 %.
 */
export function occupancyOf(
  geometry: VolumeGeometry,
  centre: Vector,
  shape: NoduleShape,
  options: { readonly blurMm: BlurMm; readonly ratio?: number },
): Occupancy | undefined {
  const spacing = spacingIrcMm(geometry);
  const sigmaVoxels = spacing.map((step, axis) => options.blurMm[axis]! / step) as [number, number, number];
  const blurReachMm = Math.max(
    ...spacing.map((step, axis) => step * (1 + blurRadiusVoxels(sigmaVoxels[axis]!))),
  );
  const box = boxRound(geometry, centre, shape.maxRadiusMm + blurReachMm);
  if (box === undefined) return undefined;
  const lattice = {
    points: subSamples(geometry, shape.diameterMm),
    reachMm: Math.hypot(...spacing) / 2,
    ratio: options.ratio ?? 1,
  };
  const { depth, height, width } = box.shape;
  const fraction = new Float32Array(depth * height * width);
  let offset = 0;
  for (let index = 0; index < depth; index++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const voxel = continuousIrc(box.start[0] + index, box.start[1] + row, box.start[2] + column);
        fraction[offset++] = voxelFraction(shape, subtract(ircToXyz(geometry, voxel), centre), lattice);
      }
    }
  }
  blurInPlace(fraction, box.shape, sigmaVoxels);
  return { box, fraction };
}

/** How much of the air of each voxel the nodule replaces. */
function fillOf(geometry: VolumeGeometry, nodule: NoduleBody, scannerBlurMm: BlurMm): Occupancy | undefined {
  const { shape, tissue, centre } = nodule;
  const blurMm = scannerBlurMm.map((sigma) => Math.hypot(sigma, tissue.edgeSigmaMm)) as [
    number,
    number,
    number,
  ];
  const whole = occupancyOf(geometry, centre, shape, { blurMm });
  if (whole === undefined || tissue.coreRatio === 1) return whole;
  for (let offset = 0; offset < whole.fraction.length; offset++) whole.fraction[offset]! *= tissue.fill;
  if (tissue.coreRatio === 0) return whole;
  const core = occupancyOf(geometry, centre, shape, { blurMm, ratio: tissue.coreRatio });
  if (core === undefined) return whole;
  for (let offset = 0; offset < whole.fraction.length; offset++) {
    whole.fraction[offset]! += core.fraction[offset]! * (1 - tissue.fill);
  }
  return whole;
}

/**
 * Replaces air by tissue of `tissueHu` in the voxels of `volume`, in place, by the share that `fill` states. What is
 * denser than a nodule stays. `noise` gives the new tissue the grain of the scan; leave it out where noise comes later.
 */
export function blendTissue(volume: Volume, fill: Occupancy, tissueHu: number, noise?: ScannerNoise): void {
  const { voxelsHu, geometry } = volume;
  const { height, width } = geometry.shape;
  const { start, shape } = fill.box;
  let offset = 0;
  for (let index = start[0]; index < start[0] + shape.depth; index++) {
    for (let row = start[1]; row < start[1] + shape.height; row++) {
      for (let column = start[2]; column < start[2] + shape.width; column++) {
        const share = Math.min(1, fill.fraction[offset++]!);
        const voxel = (index * height + row) * width + column;
        const before = voxelsHu[voxel]!;
        if (share === 0 || before > DENSER_THAN_NODULE_HU) continue;
        // The blend keeps (1 - share) of the old grain; the rest is added so that the variance stays that of the scan.
        const lost = Math.sqrt(share * (2 - share));
        const grain = noise === undefined ? 0 : lost * noise.at(index, row, column);
        voxelsHu[voxel] = Math.max(LOWEST_HU, Math.round(before + share * (tissueHu - before) + grain));
      }
    }
  }
}

/** Inserts `nodule` into `volume`, in place, as a scanner of `scannerBlurMm` shows it: see `blendTissue`. */
export function insertNodule(
  volume: Volume,
  nodule: NoduleBody,
  scannerBlurMm: BlurMm,
  noise?: ScannerNoise,
): void {
  const fill = fillOf(volume.geometry, nodule, scannerBlurMm);
  if (fill !== undefined) blendTissue(volume, fill, nodule.tissue.tissueHu, noise);
}
