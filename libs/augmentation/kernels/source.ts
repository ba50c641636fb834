/** Looking at, converting and copying a source chunk. */
import { loadVoxels } from './interpolation';
import { sampleDepth, sampleHeight, sampleWidth, startRow, Tile } from './sample-tile';

/** Largest |voxel| of `count` float32 at `source`, padded with zeros to a multiple of four; NaN when one is NaN. */
export function largestMagnitude(source: usize, count: i32): f32 {
  let largest = f32x4.splat(0);
  const end = source + ((<usize>count) << 2);
  for (let at = source; at < end; at += 16) {
    largest = f32x4.max(largest, f32x4.abs(v128.load(at)));
  }
  return max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** Writes `count` int16 voxels as float32; up to three more are read and written. */
export function convertInt16(source: usize, count: i32, target: usize): void {
  for (let voxel: usize = 0; voxel < <usize>count; voxel += 4) {
    v128.store(target + (voxel << 2), loadVoxels<i16>(source + (voxel << 1)));
  }
}

function copyBox<Voxel>(start: usize, rowBytes: usize, sliceBytes: usize): void {
  for (let slice = 0; slice < sampleDepth; slice += 4) {
    const last = sampleDepth - 1;
    const slice0 = start + <usize>slice * sliceBytes;
    const slice1 = start + <usize>min(slice + 1, last) * sliceBytes;
    const slice2 = start + <usize>min(slice + 2, last) * sliceBytes;
    const slice3 = start + <usize>min(slice + 3, last) * sliceBytes;
    for (let row = 0; row < sampleHeight; row++) {
      startRow(row, slice >> 2, 1);
      for (let column = 0; column < sampleWidth; column += 4) {
        const at = <usize>row * rowBytes + <usize>column * sizeof<Voxel>();
        Tile.store(
          loadVoxels<Voxel>(slice0 + at),
          loadVoxels<Voxel>(slice1 + at),
          loadVoxels<Voxel>(slice2 + at),
          loadVoxels<Voxel>(slice3 + at),
          slice,
          row,
          column,
        );
      }
    }
  }
}

/** Makes the sample of a box of source voxels as they are; `start` is the box's first voxel. */
export function copyBoxOfInt16(start: usize, rowBytes: usize, sliceBytes: usize): void {
  copyBox<i16>(start, rowBytes, sliceBytes);
}

export function copyBoxOfFloat32(start: usize, rowBytes: usize, sliceBytes: usize): void {
  copyBox<f32>(start, rowBytes, sliceBytes);
}
