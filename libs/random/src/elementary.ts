/**
 * Logarithm, exponential, sine and cosine from + - * / and rounding alone. ECMAScript leaves the last bits of Math.log
 * and its like to the engine (Math.pow differs between Node 22 and 24), so nothing that decides a sample's bytes may use
 * them. Errors are below 4e-16 of the result or, near a zero of it, of 1; series are cut where terms fall below 1e-17.
 */

const LN_2_HIGH = 0.6931471804855391; // 33 leading bits of ln 2: k · LN_2_HIGH is exact
const LN_2_LOW = 7.440617110012397e-11;
const HALF_PI_HIGH = 1.5707963267341256; // 33 leading bits of π/2
const HALF_PI_MIDDLE = 6.077100506303966e-11; // 33 more
const HALF_PI_LOW = 2.0222662487959506e-21;
const SMALLEST_NORMAL = 2.2250738585072014e-308;
const TWO_POW_60 = 1152921504606846976;
const LARGEST_EXPONENT = 709.7;
const SMALLEST_EXPONENT = -708.3;

const bits = new DataView(new ArrayBuffer(8));

/** 2^exponent for exponents of normal numbers, exactly. */
function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/** ln x. -Infinity at 0, NaN below, Infinity at Infinity. */
export function logarithm(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return x;
  if (x < SMALLEST_NORMAL) return logarithm(x * TWO_POW_60) - 60 * Math.LN2;
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let mantissa = bits.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa *= 0.5;
    exponent++;
  }
  // ln m = 2 artanh s = 2 (s + s³/3 + s⁵/5 + ...), |s| <= 0.172.
  const s = (mantissa - 1) / (mantissa + 1);
  const ss = s * s;
  let series = 0;
  for (let power = 21; power >= 3; power -= 2) series = (series + 1 / power) * ss;
  return exponent * LN_2_HIGH + (2 * s + (2 * s * series + exponent * LN_2_LOW));
}

/** e^x; 0 below -708.3, Infinity above 709.7. */
export function exponential(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > LARGEST_EXPONENT) return Infinity;
  if (x < SMALLEST_EXPONENT) return 0;
  const exponent = Math.round(x / Math.LN2);
  const rest = x - exponent * LN_2_HIGH - exponent * LN_2_LOW;
  let series = 0;
  for (let term = 14; term >= 1; term--) series = (series + 1) * (rest / term);
  const half = exponent >> 1;
  return (1 + series) * powerOfTwo(half) * powerOfTwo(exponent - half);
}

/**
 * Cosine and sine of an angle, exact at 0. Angles up to 1e6 in size keep their accuracy; beyond, it falls off.
 */
export function cosineAndSine(angleRadians: number): readonly [cosine: number, sine: number] {
  const quarters = Math.round(angleRadians / (Math.PI / 2));
  const x = angleRadians - quarters * HALF_PI_HIGH - quarters * HALF_PI_MIDDLE - quarters * HALF_PI_LOW;
  const xx = x * x;
  let sine = 0;
  for (let power = 19; power >= 3; power -= 2) sine = (sine + 1) * (-xx / (power * (power - 1)));
  sine = x + x * sine;
  let cosine = 0;
  for (let power = 18; power >= 2; power -= 2) cosine = (cosine + 1) * (-xx / (power * (power - 1)));
  cosine += 1;
  switch (((quarters % 4) + 4) % 4) {
    case 0:
      return [cosine, sine];
    case 1:
      return [-sine, cosine];
    case 2:
      return [-cosine, -sine];
    default:
      return [sine, -cosine];
  }
}
