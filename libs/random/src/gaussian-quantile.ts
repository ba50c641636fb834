import { logarithm } from './elementary.ts';

/**
 * The standard normal quantile function by M. J. Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988)
 * 477-484: relative accuracy about 1e-16. Only + - * / sqrt and, outside |p - 1/2| <= 0.425, one logarithm.
 */

const CENTRAL_HALF_WIDTH = 0.425;
const CENTRAL_CONSTANT = 0.180625; // CENTRAL_HALF_WIDTH squared
const TAIL_SPLIT = 5;
const NEAR_TAIL_SHIFT = 1.6;

// Coefficients from the paper, lowest power first, as the shortest literals of the same doubles.
const CENTRAL_NUMERATOR = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const CENTRAL_DENOMINATOR = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
];
const NEAR_NUMERATOR = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const NEAR_DENOMINATOR = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
];
const FAR_NUMERATOR = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const FAR_DENOMINATOR = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
];

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (let power = coefficients.length - 1; power >= 0; power--) value = value * x + coefficients[power]!;
  return value;
}

/** The z with P(Z <= z) = `probability` for a standard normal Z. ±Infinity at 0 and 1, NaN outside [0, 1]. */
export function gaussianQuantile(probability: number): number {
  const centred = probability - 0.5;
  if (Math.abs(centred) <= CENTRAL_HALF_WIDTH) {
    const r = CENTRAL_CONSTANT - centred * centred;
    return (centred * polynomial(CENTRAL_NUMERATOR, r)) / polynomial(CENTRAL_DENOMINATOR, r);
  }
  const tail = centred < 0 ? probability : 1 - probability;
  if (tail === 0) return centred < 0 ? -Infinity : Infinity;
  const r = Math.sqrt(-logarithm(tail));
  const magnitude =
    r <= TAIL_SPLIT
      ? polynomial(NEAR_NUMERATOR, r - NEAR_TAIL_SHIFT) / polynomial(NEAR_DENOMINATOR, r - NEAR_TAIL_SHIFT)
      : polynomial(FAR_NUMERATOR, r - TAIL_SPLIT) / polynomial(FAR_DENOMINATOR, r - TAIL_SPLIT);
  return centred < 0 ? -magnitude : magnitude;
}
