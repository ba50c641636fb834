import { readGolden } from './golden-files.ts';

/** Shape of every golden volume: [depth, height, width] in voxels. */
export const GOLDEN_SHAPE = { depth: 32, height: 48, width: 48 } as const;

/** The middle of them that `smallGoldenVolume` gives: from voxel [8, 16, 16] on. */
export const SMALL_GOLDEN_SHAPE = { depth: 16, height: 16, width: 17 } as const;
const SMALL_GOLDEN_START = { depth: 8, height: 16, width: 16 } as const;

interface VolumeParameters {
  readonly kind: 'ramp' | 'blob' | 'noise' | 'steps';
  readonly ci: number;
  readonly cr: number;
  readonly cc: number;
  readonly sg: number;
  readonly amp: number;
  readonly wave: number;
  readonly noise: number;
}

function hashToUnit(index: number, row: number, column: number, volume: number): number {
  const salt = Math.imul(volume + 1, 2654435761 | 0);
  let hash = Math.imul(index, 73856093) ^ Math.imul(row, 19349663) ^ Math.imul(column, 83492791) ^ salt;
  for (let round = 0; round < 2; round++) {
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x45d9f3b);
  }
  hash ^= hash >>> 16;
  return (hash >>> 0) / 2 ** 32;
}

function voxelHu(p: VolumeParameters, volume: number, [i, r, c]: readonly [number, number, number]): number {
  const u = hashToUnit(i, r, c, volume);
  switch (p.kind) {
    case 'ramp':
      return -1000 + (400 * i) / 31 + (600 * r) / 47 + (1000 * c) / 47;
    case 'noise':
      return -1000 + 2000 * u;
    case 'steps':
      return -1000 + 2000 * ((Math.floor(i / 5) + Math.floor(r / 7) + Math.floor(c / 9)) % 2);
    case 'blob': {
      const squaredDistance = (i - p.ci) ** 2 + (r - p.cr) ** 2 + (c - p.cc) ** 2;
      return (
        -850 +
        p.amp * Math.exp(-squaredDistance / (2 * p.sg ** 2)) +
        p.wave * Math.sin(0.31 * i + volume) * Math.cos(0.23 * r - 0.17 * c) +
        p.noise * (2 * u - 1)
      );
    }
  }
}

/**
 * Voxels in HU of golden volume 0..5, shape `GOLDEN_SHAPE`, C order, by the formula of
 * tools/golden/reference/make_affine_golden.py (integers, clipped to [-1000, 1000]).
 */
export function goldenVolume(volume: number): Float32Array {
  const { params } = readGolden<{ volume_formula: { params: VolumeParameters[] } }>(
    'affine_grid_sample',
  ).volume_formula;
  const parameters = params[volume];
  if (parameters === undefined)
    throw new RangeError(`Cannot make golden volume ${volume}: there are ${params.length}`);
  const { depth, height, width } = GOLDEN_SHAPE;
  const voxels = new Float32Array(depth * height * width);
  let offset = 0;
  for (let i = 0; i < depth; i++) {
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        const value = voxelHu(parameters, volume, [i, r, c]);
        voxels[offset++] = Math.min(1000, Math.max(-1000, Math.floor(value + 0.5)));
      }
    }
  }
  return voxels;
}

/** The middle of golden volume 0..5, shape `SMALL_GOLDEN_SHAPE`: what lunamodel_small.json was computed from. */
export function smallGoldenVolume(volume: number): Float32Array {
  const whole = goldenVolume(volume);
  const { depth, height, width } = SMALL_GOLDEN_SHAPE;
  const voxels = new Float32Array(depth * height * width);
  for (let i = 0; i < depth; i++) {
    for (let r = 0; r < height; r++) {
      const row = (SMALL_GOLDEN_START.depth + i) * GOLDEN_SHAPE.height + SMALL_GOLDEN_START.height + r;
      const start = row * GOLDEN_SHAPE.width + SMALL_GOLDEN_START.width;
      voxels.set(whole.subarray(start, start + width), (i * height + r) * width);
    }
  }
  return voxels;
}
