import { continuousIrc, ircToXyz, type VolumeGeometry } from '@lunastream/volume';
import type { VoxelBox } from './voxel-box.ts';

/**
 * Calls `visit(offset, x, y, z)` for each voxel of `box` in C order: its offset in the volume and its centre in patient
 * coordinates. Steps along rows by addition, so that nothing is allocated per voxel.
 */
export function visitVoxels(
  geometry: VolumeGeometry,
  box: VoxelBox,
  visit: (offset: number, x: number, y: number, z: number) => void,
): void {
  const { height, width } = geometry.shape;
  const { start, shape } = box;
  const { direction, spacingXyzMm } = geometry;
  const [stepX, stepY, stepZ] = [direction[0], direction[3], direction[6]].map(
    (part) => part * spacingXyzMm[0],
  ) as [number, number, number];
  for (let index = start[0]; index < start[0] + shape.depth; index++) {
    for (let row = start[1]; row < start[1] + shape.height; row++) {
      const [x, y, z] = ircToXyz(geometry, continuousIrc(index, row, start[2]));
      const offset = (index * height + row) * width + start[2];
      for (let column = 0; column < shape.width; column++) {
        visit(offset + column, x + column * stepX, y + column * stepY, z + column * stepZ);
      }
    }
  }
}
