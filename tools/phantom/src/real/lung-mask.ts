/**
 * Finds the lungs on a chest CT: by threshold, connected regions, opening (which cuts off the windpipe) and closing
 * (which takes in the vessels). For placing things in a phantom; not a clinical segmentation: disease that fills the
 * lung with fluid or tissue is left out.
 */
import type { RandomStream } from '@lunastream/random';
import {
  continuousIrc,
  ircToXyz,
  xyzMm,
  xyzToContinuousIrc,
  type Shape,
  type Volume,
  type VolumeGeometry,
} from '@lunastream/volume';
import { connectedRegions } from '../geometry/connected-regions.ts';
import { distanceToMm } from '../geometry/distance-map.ts';
import type { Lung } from '../lung.ts';
import type { Vector } from '../geometry/vector.ts';
import { boundingBox, copyBox, spacingIrcMm, type VoxelBox } from '../geometry/voxel-box.ts';

// Half way between lung (about -850) and soft tissue (about 50): a voxel is lung when most of it is.
const AIR_HU = -400;
// Lungs hang together through bronchi at the hilum; an erosion by this much parts them from windpipe and main bronchi.
const OPENING_MM = 4.5;
// Takes in vessels up to twice this wide, and keeps the hilum out.
const CLOSING_MM = 6;
// The windpipe holds about 0.05 l, the stomach's gas some tenths; a healthy adult lung 1 l and more.
const MIN_LUNG_LITRES = 0.5;
const MM3_PER_LITRE = 1e6;

/** 0 or 1 for every voxel of a box of a volume. */
export interface BoxMask {
  readonly box: VoxelBox;
  readonly mask: Uint8Array;
}

export function voxelVolumeMm3(geometry: VolumeGeometry): number {
  const [x, y, z] = geometry.spacingXyzMm;
  return x * y * z;
}

function threshold(values: Float32Array | Int16Array, keep: (value: number) => boolean): Uint8Array {
  const mask = new Uint8Array(values.length);
  for (let offset = 0; offset < mask.length; offset++) mask[offset] = keep(values[offset]!) ? 1 : 0;
  return mask;
}

/** Air that is neither round the body (it reaches a corner of the image) nor in the table (it runs through all slices). */
function enclosedAir({ geometry, voxelsHu }: Volume): Uint8Array {
  const air = threshold(voxelsHu, (hu) => hu < AIR_HU);
  const { labels, regions } = connectedRegions(air, geometry.shape);
  const minVoxels = (MIN_LUNG_LITRES * MM3_PER_LITRE) / voxelVolumeMm3(geometry);
  const kept = new Set(
    regions
      .filter((region) => !region.touchesCornerEdge && !region.spansDepth && region.voxelCount >= minVoxels)
      .map((region) => region.label),
  );
  return air.map((_, offset) => (kept.has(labels[offset]!) ? 1 : 0));
}

interface Grid {
  readonly shape: Shape;
  readonly spacingIrcMm: readonly [number, number, number];
}

/** The parts of `air` that still hang together after an erosion, grown back to their size. */
function openedParts(air: Uint8Array, grid: Grid, minVoxels: number): Uint8Array[] {
  const cores = threshold(distanceToMm(air, 0, grid), (depthMm) => depthMm > OPENING_MM);
  const { labels, regions } = connectedRegions(cores, grid.shape);
  return regions
    .filter((region) => region.voxelCount >= minVoxels)
    .map((region) => {
      const core = cores.map((_, offset) => (labels[offset] === region.label ? 1 : 0));
      const reach = distanceToMm(core, 1, grid);
      // Half a voxel's diagonal more, so that the smooth rim lost to the grid comes back.
      const reachMm = OPENING_MM + Math.hypot(...grid.spacingIrcMm) / 2;
      return air.map((isAir, offset) => (isAir === 1 && reach[offset]! <= reachMm ? 1 : 0));
    });
}

function closed(part: Uint8Array, grid: Grid): Uint8Array {
  const dilated = threshold(distanceToMm(part, 1, grid), (value) => value <= CLOSING_MM);
  return threshold(distanceToMm(dilated, 0, grid), (depthMm) => depthMm > CLOSING_MM);
}

/**
 * The lungs on `volume`, largest first: one mask each where they part, one in all where they touch. Empty when no air
 * region has the size of a lung. Voxels are HU; the volume is not changed. The lung may be cut by the image's border,
 * but not at a corner.
 */
export function segmentLungs(volume: Volume): BoxMask[] {
  const { geometry } = volume;
  const air = enclosedAir(volume);
  const spacing = spacingIrcMm(geometry);
  const box = boundingBox(air, geometry.shape, Math.ceil((CLOSING_MM + 1) / Math.min(...spacing)));
  if (box === undefined) return [];
  const grid = { shape: box.shape, spacingIrcMm: spacing };
  const minVoxels = (MIN_LUNG_LITRES / 4) * (MM3_PER_LITRE / voxelVolumeMm3(geometry));
  return openedParts(copyBox(air, geometry.shape, box), grid, minVoxels).map((part) => ({
    box,
    mask: closed(part, grid),
  }));
}

/** Depth in mm of every voxel of a box: distance to the lung's edge, 0 outside. C order. */
export interface BoxDepths {
  readonly box: VoxelBox;
  readonly depthsMm: Float32Array;
}

function insideOffsets(depthsMm: Float32Array): Uint32Array {
  const offsets = new Uint32Array(depthsMm.length);
  let count = 0;
  for (let offset = 0; offset < depthsMm.length; offset++) {
    if (depthsMm[offset]! > 0) offsets[count++] = offset;
  }
  return offsets.slice(0, count);
}

/** A lung given voxel by voxel on a CT. */
export class MaskLung implements Lung {
  readonly box: VoxelBox;
  readonly boxDepthsMm: Float32Array;
  readonly #geometry: VolumeGeometry;
  readonly #insideOffsets: Uint32Array;

  /** Keeps a reference to the depths, which must not change and must hold at least one voxel of lung. */
  constructor(geometry: VolumeGeometry, { box, depthsMm }: BoxDepths) {
    this.#geometry = geometry;
    this.box = box;
    this.boxDepthsMm = depthsMm;
    this.#insideOffsets = insideOffsets(depthsMm);
  }

  static fromMask(geometry: VolumeGeometry, { box, mask }: BoxMask): MaskLung {
    const grid = { shape: box.shape, spacingIrcMm: spacingIrcMm(geometry) };
    return new MaskLung(geometry, { box, depthsMm: distanceToMm(mask, 0, grid) });
  }

  /** The lung of the scan with the order of columns reversed, on the same grid. */
  mirrored(): MaskLung {
    const { start, shape } = this.box;
    const depthsMm = this.boxDepthsMm.slice();
    for (let line = 0; line < depthsMm.length; line += shape.width) {
      depthsMm.subarray(line, line + shape.width).reverse();
    }
    const column = this.#geometry.shape.width - start[2] - shape.width;
    return new MaskLung(this.#geometry, { box: { shape, start: [start[0], start[1], column] }, depthsMm });
  }

  get voxelCount(): number {
    return this.#insideOffsets.length;
  }

  depthMm(point: Vector): number {
    const position = xyzToContinuousIrc(this.#geometry, xyzMm(...point));
    const { start, shape } = this.box;
    const index = Math.round(position[0]) - start[0];
    const row = Math.round(position[1]) - start[1];
    const column = Math.round(position[2]) - start[2];
    const isInBox =
      index >= 0 &&
      index < shape.depth &&
      row >= 0 &&
      row < shape.height &&
      column >= 0 &&
      column < shape.width;
    return isInBox ? this.boxDepthsMm[(index * shape.height + row) * shape.width + column]! : 0;
  }

  samplePoint(random: RandomStream): Vector {
    const offset = this.#insideOffsets[random.integerBelow(this.#insideOffsets.length)]!;
    const jitter = () => random.uniformBetween(-0.5, 0.5);
    const [index, row, column] = this.voxelAt(offset);
    return ircToXyz(this.#geometry, continuousIrc(index + jitter(), row + jitter(), column + jitter()));
  }

  /** Volume position [index, row, column] of a voxel of the box. */
  voxelAt(offset: number): readonly [number, number, number] {
    const { start, shape } = this.box;
    const column = offset % shape.width;
    const row = Math.floor(offset / shape.width) % shape.height;
    const index = Math.floor(offset / (shape.width * shape.height));
    return [start[0] + index, start[1] + row, start[2] + column];
  }
}
