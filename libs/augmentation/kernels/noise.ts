/**
 * Noise of a sample, by place: voxel (i, r, c) gets normal number 4 · (floor(c / 4) mod 2) + i mod 4 of Philox block
 * 4 · ((floor(i / 4) · height + r) · ceil(width / 8) + floor(c / 8)) + c mod 4. So eight numbers of four consecutive
 * blocks are the noise of 4 slices × 8 columns, and no voxel's noise depends on what was made before it.
 */
import { storeGaussians, storeRadii } from './gaussian';
import {
  KEY_INCREMENT_0,
  KEY_INCREMENT_1,
  MULTIPLIER_0,
  MULTIPLIER_1,
  multiplyHigh,
  multiplyLow,
  ROUNDS,
} from './philox';

/** Columns that are made at once: two sets of four counters. */
const COLUMNS_AT_ONCE = 16;
const FLOAT_BYTES: usize = 4;
/** A block's four words serve eight numbers: two columns of four slices. */
const WORD_BYTES_PER_COLUMN: usize = 8;
/** The second radius of each two words; the first takes the place of a word. */
const RADIUS_BYTES_PER_COLUMN: usize = 4;

// Counters of a stream differ in word 0 alone, so half of the first two rounds has the same numbers in all of them.
/** Keys of round 2, the first that every word takes part in. */
let key0: u32 = 0;
let key1: u32 = 0;
/** What word 2 is mixed with in round 0, and words 0 and 2 in round 1. */
let mixFirst2: u32 = 0;
let mixSecond0: u32 = 0;
let mixSecond2: u32 = 0;
/** Word 3 after round 1. */
let second3: u32 = 0;
let minusTwoVariance: f32 = 0;

/** Chooses the noise: its standard deviation (0 for none) and its stream. */
export function setNoise(sigmaHu: f32, runSeed: u32, epoch: u32, ordinal: u32, purpose: u32): void {
  minusTwoVariance = -2 * sigmaHu * sigmaHu;
  const firstProduct = <u64>MULTIPLIER_1 * <u64>purpose;
  const first0 = (<u32>(firstProduct >> 32)) ^ ordinal ^ runSeed;
  const secondProduct = <u64>MULTIPLIER_0 * <u64>first0;
  mixFirst2 = epoch;
  mixSecond0 = (<u32>firstProduct) ^ (runSeed + KEY_INCREMENT_0);
  mixSecond2 = (<u32>(secondProduct >> 32)) ^ (epoch + KEY_INCREMENT_1);
  second3 = <u32>secondProduct;
  key0 = runSeed + 2 * KEY_INCREMENT_0;
  key1 = epoch + 2 * KEY_INCREMENT_1;
}

export function hasNoise(): bool {
  return minusTwoVariance != 0;
}

function paddedColumns(width: i32): i32 {
  return (width + COLUMNS_AT_ONCE - 1) & -COLUMNS_AT_ONCE;
}

/** Bytes between two slices in what `makeNoise` writes: a row of `width` columns and what is made beyond its end. */
export function noiseStride(width: i32): usize {
  return <usize>paddedColumns(width) * FLOAT_BYTES;
}

/** Bytes of working memory of `makeNoise`. */
export function noiseWorkingBytes(groups: i32, width: i32): usize {
  return <usize>(groups * paddedColumns(width)) * (WORD_BYTES_PER_COLUMN + RADIUS_BYTES_PER_COLUMN);
}

/**
 * Writes the noise of row `row` in `groups` groups of four slices, from group `first` on, of a sample of height × width:
 * a row of float32 for each slice, `noiseStride(width)` bytes apart.
 */
export function makeNoise(
  first: i32,
  groups: i32,
  row: i32,
  height: i32,
  width: i32,
  target: usize,
  working: usize,
): void {
  const stride = noiseStride(width);
  const groupWordBytes = <usize>paddedColumns(width) * WORD_BYTES_PER_COLUMN;
  const wordsEnd = working + <usize>groups * groupWordBytes;
  let group = first;
  for (let words = working; words < wordsEnd; words += groupWordBytes) {
    makeWords(4 * (group * height + row) * ((width + 7) >> 3), words, words + groupWordBytes);
    group++;
  }
  const variance = f32x4.splat(minusTwoVariance);
  let second = wordsEnd;
  for (let words = working; words < wordsEnd; words += 32) {
    storeRadii(words, second, variance);
    second += 16;
  }
  second = wordsEnd;
  let words = working;
  const end = target + 4 * <usize>groups * stride;
  for (let slices = target; slices < end; slices += 4 * stride) {
    for (let address = slices; address < slices + stride; address += 16) {
      storeGaussians(words, second, address, stride);
      words += 32;
      second += 16;
    }
  }
}

/** Fills the memory from `from` to `end` with the words of consecutive counters, 64 bytes per four of them. */
export function makeWords(firstBlock: u32, from: usize, end: usize): void {
  const multiplier0 = i32x4.splat(MULTIPLIER_0);
  const multiplier1 = i32x4.splat(MULTIPLIER_1);
  const increment0 = i32x4.splat(KEY_INCREMENT_0);
  const increment1 = i32x4.splat(KEY_INCREMENT_1);
  let block = firstBlock;
  for (let words = from; words < end; words += 128) {
    const aBlock = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
    let a3 = multiplyLow(multiplier0, aBlock);
    let a2 = v128.xor(multiplyHigh(multiplier0, aBlock), i32x4.splat(mixFirst2));
    let a1 = multiplyLow(multiplier1, a2);
    let a0 = v128.xor(multiplyHigh(multiplier1, a2), i32x4.splat(mixSecond0));
    a2 = v128.xor(a3, i32x4.splat(mixSecond2));
    a3 = i32x4.splat(second3);
    const bBlock = i32x4.add(i32x4.splat(block), i32x4(4, 5, 6, 7));
    let b3 = multiplyLow(multiplier0, bBlock);
    let b2 = v128.xor(multiplyHigh(multiplier0, bBlock), i32x4.splat(mixFirst2));
    let b1 = multiplyLow(multiplier1, b2);
    let b0 = v128.xor(multiplyHigh(multiplier1, b2), i32x4.splat(mixSecond0));
    b2 = v128.xor(b3, i32x4.splat(mixSecond2));
    b3 = i32x4.splat(second3);
    let roundKey0 = i32x4.splat(key0);
    let roundKey1 = i32x4.splat(key1);
    for (let round = 2; round < ROUNDS; round++) {
      const nextA0 = v128.xor(v128.xor(multiplyHigh(multiplier1, a2), a1), roundKey0);
      const nextA2 = v128.xor(v128.xor(multiplyHigh(multiplier0, a0), a3), roundKey1);
      a1 = multiplyLow(multiplier1, a2);
      a3 = multiplyLow(multiplier0, a0);
      a0 = nextA0;
      a2 = nextA2;
      const nextB0 = v128.xor(v128.xor(multiplyHigh(multiplier1, b2), b1), roundKey0);
      const nextB2 = v128.xor(v128.xor(multiplyHigh(multiplier0, b0), b3), roundKey1);
      b1 = multiplyLow(multiplier1, b2);
      b3 = multiplyLow(multiplier0, b0);
      b0 = nextB0;
      b2 = nextB2;
      roundKey0 = i32x4.add(roundKey0, increment0);
      roundKey1 = i32x4.add(roundKey1, increment1);
    }
    v128.store(words, a0);
    v128.store(words, a1, 16);
    v128.store(words, a2, 32);
    v128.store(words, a3, 48);
    v128.store(words, b0, 64);
    v128.store(words, b1, 80);
    v128.store(words, b2, 96);
    v128.store(words, b3, 112);
    block += 8;
  }
}
