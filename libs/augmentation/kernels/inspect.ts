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

/** Whether the values of the latest `checksum` were all finite. */
export function wereFinite(): bool {
  return isAllFinite;
}

/** The checksum of the bytes from `at` to `end`, a whole number of vectors; float16 or float32 inside. */
export function checksum(at: usize, end: usize, isFloat16: bool): u32 {
  let sums = i32x4.splat(0);
  let sumsOfSums = i32x4.splat(0);
  let found = i32x4.splat(0);
  const floats = i32x4.splat(EXPONENT_OF_FLOATS);
  const halves = i16x8.splat(EXPONENT_OF_HALVES);
  if (isFloat16) {
    for (; at < end; at += VECTOR_BYTES) {
      const words = v128.load(at);
      sums = i32x4.add(sums, words);
      sumsOfSums = i32x4.add(sumsOfSums, sums);
      found = v128.or(found, i16x8.eq(v128.and(words, halves), halves));
    }
  } else {
    for (; at < end; at += VECTOR_BYTES) {
      const words = v128.load(at);
      sums = i32x4.add(sums, words);
      sumsOfSums = i32x4.add(sumsOfSums, sums);
      found = v128.or(found, i32x4.eq(v128.and(words, floats), floats));
    }
  }
  isAllFinite = !v128.any_true(found);
  // A word is in as many of the sums as there are vectors from its own to the last.
  const weighted = i32x4.add(sums, i32x4.mul(sumsOfSums, i32x4.splat(STEP)));
  return (
    i32x4.extract_lane(weighted, 0) +
    3 * i32x4.extract_lane(weighted, 1) +
    5 * i32x4.extract_lane(weighted, 2) +
    7 * i32x4.extract_lane(weighted, 3)
  );
}
