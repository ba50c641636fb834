/**
 * Normal numbers, four lanes at a time: a block of Philox (128 bits) gives eight, one logarithm serves four of them.
 *
 * The method is Box and Muller's ("A note on the generation of random normal deviates", 1958), with the squared radii of
 * two pairs made together: e = -ln(u1 · u2) has the gamma distribution of order two, and a · e, (1 - a) · e with a
 * uniform are independent exponentials (L. Devroye, "Non-Uniform Random Variate Generation", 1986, chapter V, uniform
 * spacings). u1 and u2 have 16 bits each, so |z| reaches 6.87 and the tails are those of 32 bits; a has 12, the angles
 * have at least 10 bits: their marginal and joint moments are sums over equal steps of a circle, exact beyond any use.
 *
 * Only + - * sqrt and integer operations of WebAssembly SIMD: the bits are the same on every machine. The polynomials are
 * minimax fits (Lawson's algorithm) with absolute errors of 9e-6 (ln), 9e-7 (sine), 1e-5 (cosine).
 */

// ln(m) for m in [1, 2).
const LN_OF_MANTISSA_0: f32 = -1.941064476966858;
const LN_OF_MANTISSA_1: f32 = 3.5293052196502686;
const LN_OF_MANTISSA_2: f32 = -2.4612224102020264;
const LN_OF_MANTISSA_3: f32 = 1.1306263208389282;
const LN_OF_MANTISSA_4: f32 = -0.28873997926712036;
const LN_OF_MANTISSA_5: f32 = 0.031104018911719322;
const LN_2: f32 = 0.6931471805599453;
const MANTISSA_BITS = 23;
const MANTISSA_MASK: i32 = 0x7fffff;
const ONE: i32 = 0x3f800000;
/** Bits of the float32 2^32 without its mantissa: what products of two 16-bit integers are divided by. */
const TWO_POW_32: i32 = (127 + 32) << 23;

// sqrt(2) · sin and sqrt(2) · cos of x quarter turns for x in [-1, 1].
const SIN_1: f32 = 2.2214338779449463;
const SIN_3: f32 = -0.9134304523468018;
const SIN_5: f32 = 0.112337127327919;
const SIN_7: f32 = -0.006127921398729086;
const COS_0: f32 = 1.4142041206359863;
const COS_2: f32 = -1.744410514831543;
const COS_4: f32 = 0.3572023808956146;
const COS_6: f32 = -0.02700544334948063;
/** From a signed 32-bit word to [-1, 1). */
const UNIT: f32 = 4.656612873077393e-10;

const SPLIT_MASK: i32 = 0xfff;
const SPLIT_STEP: f32 = 0.000244140625;
/** Bits of the second word that the first angle's 10 leading ones leave in front of the second angle. */
const SECOND_ANGLE_SHIFT = 10;

function multiplyAdd(a: v128, b: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(a, b), f32x4.splat(c));
}

/** ln(u1 · u2) of the two 16-bit uniforms in `word`, below -5e-6 in spite of all rounding. */
function logarithmOfUniforms(word: v128): v128 {
  const high = f32x4.add(f32x4.convert_i32x4_s(i32x4.shr_u(word, 16)), f32x4.splat(0.5));
  const low = f32x4.add(f32x4.convert_i32x4_s(v128.and(word, i32x4.splat(0xffff))), f32x4.splat(0.5));
  const product = f32x4.mul(high, low);
  const exponent = i32x4.shr_s(i32x4.sub(product, i32x4.splat(TWO_POW_32)), MANTISSA_BITS);
  const mantissa = v128.or(v128.and(product, i32x4.splat(MANTISSA_MASK)), i32x4.splat(ONE));
  let logarithm = multiplyAdd(f32x4.splat(LN_OF_MANTISSA_5), mantissa, LN_OF_MANTISSA_4);
  logarithm = multiplyAdd(logarithm, mantissa, LN_OF_MANTISSA_3);
  logarithm = multiplyAdd(logarithm, mantissa, LN_OF_MANTISSA_2);
  logarithm = multiplyAdd(logarithm, mantissa, LN_OF_MANTISSA_1);
  logarithm = multiplyAdd(logarithm, mantissa, LN_OF_MANTISSA_0);
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(exponent), f32x4.splat(LN_2)), logarithm);
}

/** Stores radius · cos at `address`, radius · sin `pairBytes` on; `angleWord` is the angle in 2^-32 turns. */
function storePair(address: usize, pairBytes: usize, radius: v128, angleWord: v128): void {
  // By half the angle: sin 2t = 2 sin t cos t, cos 2t = 1 - 2 sin² t, with no cases to tell apart.
  const x = f32x4.mul(f32x4.convert_i32x4_s(angleWord), f32x4.splat(UNIT));
  const xx = f32x4.mul(x, x);
  let sine = multiplyAdd(f32x4.splat(SIN_7), xx, SIN_5);
  sine = multiplyAdd(sine, xx, SIN_3);
  sine = f32x4.mul(multiplyAdd(sine, xx, SIN_1), x);
  let cosine = multiplyAdd(f32x4.splat(COS_6), xx, COS_4);
  cosine = multiplyAdd(cosine, xx, COS_2);
  cosine = multiplyAdd(cosine, xx, COS_0);
  v128.store(address, f32x4.mul(radius, f32x4.sub(f32x4.splat(1), f32x4.mul(sine, sine))));
  v128.store(address + pairBytes, f32x4.mul(radius, f32x4.mul(sine, cosine)));
}

// Two words make four numbers. The first gives u1 and u2. Of the second the whole is the first angle, the last 22 bits
// are the second, the last 12 the split a. Radii are made for a whole row before the angles are looked at: one long
// chain of operations per number would leave the processor waiting.

/** Replaces the first of the two words at `words` by the first radius and stores the second radius at `second`. */
export function storeRadii(words: usize, second: usize, minusTwoVariance: v128): void {
  const squaredRadii = f32x4.mul(minusTwoVariance, logarithmOfUniforms(v128.load(words)));
  const split = f32x4.convert_i32x4_s(v128.and(v128.load(words, 16), i32x4.splat(SPLIT_MASK)));
  const share = f32x4.add(f32x4.mul(split, f32x4.splat(SPLIT_STEP)), f32x4.splat(SPLIT_STEP / 2));
  const first = f32x4.mul(squaredRadii, share);
  v128.store(words, f32x4.sqrt(first));
  v128.store(second, f32x4.sqrt(f32x4.sub(squaredRadii, first)));
}

/** Makes four normal vectors of what `storeRadii` left and stores them `stride` bytes apart. */
export function storeGaussians(words: usize, second: usize, address: usize, stride: usize): void {
  const angle = v128.load(words, 16);
  storePair(address, stride, v128.load(words), angle);
  storePair(address + 2 * stride, stride, v128.load(second), i32x4.shl(angle, SECOND_ANGLE_SHIFT));
}
