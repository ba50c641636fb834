import { BorderRule as WireBorderRule, VoxelType } from '@lunastream/contracts';
import type { BorderRule } from '@lunastream/volume';

// How samples are asked for, in the words of the wire.

export const WIRE_VOXEL_TYPES: Record<'float32' | 'float16', VoxelType> = {
  float32: VoxelType.FLOAT32,
  float16: VoxelType.FLOAT16,
};
export const WIRE_BORDERS: Record<BorderRule, WireBorderRule> = {
  shift: WireBorderRule.SHIFT,
  'pad-air': WireBorderRule.PAD_AIR,
};
