/**
 * The last step of every kernel. All of them make samples in tiles of 4 slices × 4 columns of one row; `storeTile` gives
 * a tile its intensity change and noise and stores it, so a sample's memory is written once.
 */
import { toHalf } from './half';
import { hasNoise, makeNoise, noiseStride, noiseWorkingBytes } from './noise';

// The sample that is being made.
export let sampleDepth: i32 = 0;
export let sampleHeight: i32 = 0;
export let sampleWidth: i32 = 0;
let sample: usize = 0;
let isHalf: bool = false;
/** Noise of one row of the sample, all slices. */
let rowNoise: usize = 0;
let noiseWorking: usize = 0;
/** Where a tile that reaches beyond the sample is put down: 64 bytes. */
let scratch: usize = 0;

let hasIntensity: bool = false;
let gain: f32 = 1;
let bias: f32 = 0;

/** Bytes of working memory that `setSample` asks for. */
export function tileMemoryBytes(depth: i32, width: i32): usize {
  return 64 + noiseWorkingBytes((depth + 3) >> 2, width) + <usize>((depth + 3) & -4) * noiseStride(width);
}

/** Names the sample to make: its shape, its memory, whether it is float16, and working memory. */
export function setSample(
  depth: i32,
  height: i32,
  width: i32,
  address: usize,
  float16: bool,
  working: usize,
): void {
  sampleDepth = depth;
  sampleHeight = height;
  sampleWidth = width;
  sample = address;
  isHalf = float16;
  scratch = working;
  noiseWorking = working + 64;
  rowNoise = noiseWorking + noiseWorkingBytes((depth + 3) >> 2, width);
}

/** Voxels become gain · HU + bias before noise is added. */
export function setIntensity(newGain: f32, newBias: f32): void {
  gain = newGain;
  bias = newBias;
  hasIntensity = newGain != 1 || newBias != 0;
}

/** To be called for every row before its tiles are stored, with the groups of four slices that will be. */
export function startRow(row: i32, firstGroup: i32, groups: i32): void {
  if (!hasNoise()) return;
  const target = rowNoise + 4 * <usize>firstGroup * noiseStride(sampleWidth);
  makeNoise(firstGroup, groups, row, sampleHeight, sampleWidth, target, noiseWorking);
}

function withIntensity(voxels: v128): v128 {
  return f32x4.add(f32x4.mul(voxels, f32x4.splat(gain)), f32x4.splat(bias));
}

function storeRow(address: usize, voxels: v128): void {
  if (isHalf) {
    const halves = toHalf(voxels);
    v128.store64_lane(address, i16x8.narrow_i32x4_u(halves, halves), 0);
  } else {
    v128.store(address, voxels);
  }
}

export class Tile {
  /**
   * Stores voxels of slices slice..slice+3 (`slice` a multiple of 4) and columns column..column+3; what lies beyond the
   * sample is dropped.
   */
  @inline static store(t0: v128, t1: v128, t2: v128, t3: v128, slice: i32, row: i32, column: i32): void {
    if (hasIntensity) {
      t0 = withIntensity(t0);
      t1 = withIntensity(t1);
      t2 = withIntensity(t2);
      t3 = withIntensity(t3);
    }
    if (hasNoise()) {
      const stride = noiseStride(sampleWidth);
      const noise = rowNoise + <usize>slice * stride + ((<usize>column) << 2);
      t0 = f32x4.add(t0, v128.load(noise));
      t1 = f32x4.add(t1, v128.load(noise + stride));
      t2 = f32x4.add(t2, v128.load(noise + 2 * stride));
      t3 = f32x4.add(t3, v128.load(noise + 3 * stride));
    }
    const shift: usize = isHalf ? 1 : 2;
    const sliceBytes = (<usize>sampleHeight * <usize>sampleWidth) << shift;
    const address =
      sample + <usize>slice * sliceBytes + ((<usize>row * <usize>sampleWidth + <usize>column) << shift);
    if (slice + 4 <= sampleDepth && column + 4 <= sampleWidth) {
      storeRow(address, t0);
      storeRow(address + sliceBytes, t1);
      storeRow(address + 2 * sliceBytes, t2);
      storeRow(address + 3 * sliceBytes, t3);
    } else {
      storeRow(scratch, t0);
      storeRow(scratch + 16, t1);
      storeRow(scratch + 32, t2);
      storeRow(scratch + 48, t3);
      const bytes = (<usize>min(4, sampleWidth - column)) << shift;
      for (let i = 0; i < min(4, sampleDepth - slice); i++) {
        memory.copy(address + <usize>i * sliceBytes, scratch + <usize>(16 * i), bytes);
      }
    }
  }
}
