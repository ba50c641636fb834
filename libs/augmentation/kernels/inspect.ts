/**
 * Looks at the bytes of a sample once: their checksum, and whether every value is finite.
 *
 * The checksum is the sum, modulo 2^32, of all 32-bit words, each times a weight of its place. Weights are odd, so that any
 * one word that differs shows; they differ from place to place, so that words that changed places show. A CRC sees the same
 * faults, and takes three times as long: no two lanes of a vector can work on it.
 */

const VECTOR_BYTES: usize = 16;
/** Even: 1 + STEP * n is odd. */
const STEP: u32 = 0x9e3779b2;
const EXPONENT_OF_FLOATS: u32 = 0x7f800000;
const EXPONENT_OF_HALVES: u16 = 0x7c00;

let isAllFinite: bool = true;
let latestPlainSum: u32 = 0;

/** Whether the values of the latest `checksum` were all finite. */
export function wereFinite(): bool {
  return isAllFinite;
}

/**
 * The sum of the words of the latest `checksum`, each times the weight of its place in its vector only: what the checksum
 * grows by, times STEP, for each vector that follows. So bytes may be looked at piece by piece.
 */
export function plainSum(): u32 {
  return latestPlainSum;
}

/** The checksum of the bytes from `at` to `end`, a whole number of vectors; float16 or float32 inside. */
export function checksum(at: usize, end: usize, isFloat16: bool): u32 {
  return isFloat16 ? checksumOf<u16>(at, end) : checksumOf<f32>(at, end);
}

function checksumOf<Voxel>(at: usize, end: usize): u32 {
  let sums = i32x4.splat(0);
  let sumsOfSums = i32x4.splat(0);
  let found = i32x4.splat(0);
  // Four vectors at a time, whose sums wait only once for those before them.
  for (; at + 3 * VECTOR_BYTES < end; at += 4 * VECTOR_BYTES) {
    const first = v128.load(at);
    const second = v128.load(at, VECTOR_BYTES);
    const third = v128.load(at, 2 * VECTOR_BYTES);
    const fourth = v128.load(at, 3 * VECTOR_BYTES);
    const two = i32x4.add(first, second);
    const four = i32x4.add(two, i32x4.add(third, fourth));
    const within = i32x4.add(i32x4.add(first, two), i32x4.add(i32x4.add(two, third), four));
    sumsOfSums = i32x4.add(sumsOfSums, i32x4.add(i32x4.shl(sums, 2), within));
    sums = i32x4.add(sums, four);
    const foundHere = v128.or(notFinite<Voxel>(first), notFinite<Voxel>(second));
    found = v128.or(found, v128.or(foundHere, v128.or(notFinite<Voxel>(third), notFinite<Voxel>(fourth))));
  }
  for (; at < end; at += VECTOR_BYTES) {
    const words = v128.load(at);
    sums = i32x4.add(sums, words);
    sumsOfSums = i32x4.add(sumsOfSums, sums);
    found = v128.or(found, notFinite<Voxel>(words));
  }
  isAllFinite = !v128.any_true(found);
  return weightedSum(sums, sumsOfSums);
}

/** Ones in the lanes that are infinite or NaN. */
function notFinite<Voxel>(voxels: v128): v128 {
  if (isFloat<Voxel>()) {
    const floats = i32x4.splat(EXPONENT_OF_FLOATS);
    return i32x4.eq(v128.and(voxels, floats), floats);
  }
  const halves = i16x8.splat(EXPONENT_OF_HALVES);
  return i16x8.eq(v128.and(voxels, halves), halves);
}

/**
 * Writes int16 voxels as float32, four to each vector from `at` to `end`, and returns their checksum: what `checksum` would
 * find there. The voxels of the last vector that are too many must be zeros. Whole numbers are finite.
 */
export function widenInt16(source: usize, at: usize, end: usize): u32 {
  let sums = i32x4.splat(0);
  let sumsOfSums = i32x4.splat(0);
  for (; at + VECTOR_BYTES < end; at += 2 * VECTOR_BYTES) {
    const voxels = v128.load(source);
    const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(voxels));
    const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(voxels));
    v128.store(at, low);
    v128.store(at, high, VECTOR_BYTES);
    const sumsBetween = i32x4.add(sums, low);
    sums = i32x4.add(sumsBetween, high);
    sumsOfSums = i32x4.add(sumsOfSums, i32x4.add(sumsBetween, sums));
    source += VECTOR_BYTES;
  }
  if (at < end) {
    const last = f32x4.convert_i32x4_s(v128.load16x4_s(source));
    v128.store(at, last);
    sums = i32x4.add(sums, last);
    sumsOfSums = i32x4.add(sumsOfSums, sums);
  }
  return weightedSum(sums, sumsOfSums);
}

/** A word is in as many of the sums as there are vectors from its own to the last. */
function weightedSum(sums: v128, sumsOfSums: v128): u32 {
  latestPlainSum = sumByPlace(sums);
  return sumByPlace(i32x4.add(sums, i32x4.mul(sumsOfSums, i32x4.splat(STEP))));
}

function sumByPlace(words: v128): u32 {
  return (
    i32x4.extract_lane(words, 0) +
    3 * i32x4.extract_lane(words, 1) +
    5 * i32x4.extract_lane(words, 2) +
    7 * i32x4.extract_lane(words, 3)
  );
}
