/**
 * Decimals that show whether a double is a tie. One that is not differs from every tie at 6 digits or fewer by a
 * multiple of 1 / (2 · 10^6 · 2^73) where it is above 5e-7, and below that there are no ties: more than 1e-30.
 */
const ENOUGH_DECIMALS = 40;

/**
 * `value` with `digits` decimals as Python's `format(value, '.<digits>f')` writes it: ties of the exact binary value go
 * to the even digit (0.03125 -> 0.0312), where `toFixed` takes the larger one. Undefined and NaN give `nan`.
 * For |value| below 1e21 and at most 6 digits.
 */
export function fixedDigits(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const rounded = value.toFixed(digits);
  const exact = value.toFixed(ENOUGH_DECIMALS);
  const firstDropped = exact.length - ENOUGH_DECIMALS + digits;
  const isTie = /^50*$/.test(exact.slice(firstDropped));
  const isOdd = Number(rounded.at(-1)) % 2 === 1;
  if (!isTie || !isOdd) return rounded;
  return digits === 0 ? exact.slice(0, firstDropped - 1) : exact.slice(0, firstDropped);
}
