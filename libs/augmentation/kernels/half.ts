/** Conversion of float32 to float16 by integer operations; WebAssembly has none of its own. */

const SIGN: u32 = 0x80000000;
const LARGEST_HALF: f32 = 65504;
/** 2^-14, below which a float16 is a multiple of 2^-24. */
const SMALLEST_NORMAL_HALF: f32 = 0.00006103515625;
/** A float32 near 1/2 is a multiple of 2^-24: adding 1/2 rounds as a small float16 must be rounded. */
const HALF: f32 = 0.5;
const HALF_BITS: i32 = 0x3f000000;
/** The exponent's bias falls from 127 to 15. */
const BIAS_CHANGE: i32 = 112 << 23;

/** Four float16 bit patterns in 32-bit lanes: rounded to nearest, ties to even; beyond ±65504 the nearest of the two. */
export function toHalf(values: v128): v128 {
  const sign = v128.and(values, i32x4.splat(SIGN));
  const magnitude = f32x4.min(v128.xor(values, sign), f32x4.splat(LARGEST_HALF));
  const isOdd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff - BIAS_CHANGE)), isOdd);
  const normal = i32x4.shr_u(rounded, 13);
  const small = i32x4.sub(f32x4.add(magnitude, f32x4.splat(HALF)), i32x4.splat(HALF_BITS));
  const isSmall = f32x4.lt(magnitude, f32x4.splat(SMALLEST_NORMAL_HALF));
  return v128.or(v128.bitselect(small, normal, isSmall), i32x4.shr_u(sign, 16));
}
