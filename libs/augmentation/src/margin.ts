import type { Shape } from '@lunastream/volume';
import { compileAugmentationSettings, type AugmentationSettings } from './augmentation-settings.ts';

/** Rounding of the sum below must not cost a voxel: positions this near a border's centre count as inside. */
const SLACK_VOXELS = 1e-9;

/**
 * The smallest source chunk, with the sample of `shape` in its middle, that holds every sampling position of any draw of
 * `settings`: no voxel of a sample made from it repeats a border. It is `shape` itself when nothing moves.
 *
 * Sizes grow by even numbers of voxels, odd ones by multiples of four, so that both boxes have the same centre wherever
 * a window's start is rounded half to even.
 * @throws AugmentationSettingsError on a setting out of range.
 */
export function marginFor(settings: AugmentationSettings, shape: Shape): Shape {
  const { offset, scale, rotate, elasticVoxels } = compileAugmentationSettings(settings);
  /** Farthest centre of a voxel from the middle, in the [-1, 1] coordinates. */
  const reach = (size: number) => 1 - 1 / size;
  const turnedReach = rotate ? Math.sqrt(reach(shape.width) ** 2 + reach(shape.height) ** 2) : 0;
  const axis = (size: number, farthest: number) => {
    const voxels = size * ((1 + scale) * farthest + offset) + 1 + 2 * elasticVoxels;
    const step = size % 2 === 0 ? 2 : 4;
    return size + step * Math.max(0, Math.ceil((voxels - SLACK_VOXELS - size) / step));
  };
  return {
    depth: axis(shape.depth, reach(shape.depth)),
    height: axis(shape.height, Math.max(turnedReach, reach(shape.height))),
    width: axis(shape.width, Math.max(turnedReach, reach(shape.width))),
  };
}
