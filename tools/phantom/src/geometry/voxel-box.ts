import { xyzToContinuousIrc, xyzMm, type Shape, type VolumeGeometry } from '@lunastream/volume';
import type { Vector } from './vector.ts';

/** A box of whole voxels in a volume: `start` inclusive, each [index, row, column]. */
export interface VoxelBox {
  readonly start: readonly [number, number, number];
  readonly shape: Shape;
}

/** Spacing in the order of voxel axes, [index, row, column], in mm. */
export function spacingIrcMm(geometry: VolumeGeometry): readonly [number, number, number] {
  const [column, row, index] = geometry.spacingXyzMm;
  return [index, row, column];
}

export function extentsOf(shape: Shape): readonly [number, number, number] {
  return [shape.depth, shape.height, shape.width];
}

export function wholeBox(shape: Shape): VoxelBox {
  return { start: [0, 0, 0], shape };
}

/**
 * The voxels within `reachMm` of `centre`, clipped to the volume; undefined when none is. Directions of phantom volumes
 * are orthonormal, so a ball reaches `reachMm / spacing` voxels along each axis.
 */
export function boxRound(geometry: VolumeGeometry, centre: Vector, reachMm: number): VoxelBox | undefined {
  const position = xyzToContinuousIrc(geometry, xyzMm(...centre));
  const spacing = spacingIrcMm(geometry);
  const extents = extentsOf(geometry.shape);
  const start = [0, 1, 2].map((axis) =>
    Math.max(0, Math.ceil(position[axis]! - reachMm / spacing[axis]!)),
  ) as [number, number, number];
  const sizes = [0, 1, 2].map((axis) => {
    const last = Math.min(extents[axis]! - 1, Math.floor(position[axis]! + reachMm / spacing[axis]!));
    return last - start[axis]! + 1;
  }) as [number, number, number];
  if (sizes.some((size) => size <= 0)) return undefined;
  return { start, shape: { depth: sizes[0], height: sizes[1], width: sizes[2] } };
}

/** The smallest box round the non-zero voxels of `mask` plus `margin` voxels, clipped to `shape`; undefined if all are 0. */
export function boundingBox(mask: Uint8Array, shape: Shape, margin: number): VoxelBox | undefined {
  const low = [Infinity, Infinity, Infinity];
  const high = [-1, -1, -1];
  let offset = 0;
  for (let index = 0; index < shape.depth; index++) {
    for (let row = 0; row < shape.height; row++) {
      for (let column = 0; column < shape.width; column++, offset++) {
        if (mask[offset] === 0) continue;
        low[0] = Math.min(low[0]!, index);
        high[0] = index;
        low[1] = Math.min(low[1]!, row);
        high[1] = Math.max(high[1]!, row);
        low[2] = Math.min(low[2]!, column);
        high[2] = Math.max(high[2]!, column);
      }
    }
  }
  if (high[0] === -1) return undefined;
  const extents = extentsOf(shape);
  const start = low.map((value) => Math.max(0, value - margin)) as [number, number, number];
  const [depth, height, width] = high.map(
    (value, axis) => Math.min(extents[axis]! - 1, value + margin) - start[axis]! + 1,
  ) as [number, number, number];
  return { start, shape: { depth, height, width } };
}

/** A dense copy of the voxels of `box` from a volume of `shape`. */
export function copyBox<Voxels extends Uint8Array | Int16Array>(
  voxels: Voxels,
  shape: Shape,
  box: VoxelBox,
): Voxels {
  const { depth, height, width } = box.shape;
  const copy = new (voxels.constructor as new (length: number) => Voxels)(depth * height * width);
  for (let index = 0; index < depth; index++) {
    for (let row = 0; row < height; row++) {
      const from = ((box.start[0] + index) * shape.height + box.start[1] + row) * shape.width + box.start[2];
      copy.set(voxels.subarray(from, from + width), (index * height + row) * width);
    }
  }
  return copy;
}
