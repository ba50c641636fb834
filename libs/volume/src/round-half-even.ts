/**
 * Nearest integer, halves to the even neighbour (IEEE 754 roundTiesToEven): 0.5 -> 0, 1.5 -> 2, -0.5 -> 0. What NumPy and
 * Python's `round` do, so candidate centres fall on the same voxels as in the book.
 */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  const up = fraction > 0.5 || (fraction === 0.5 && floor % 2 !== 0);
  return (up ? floor + 1 : floor) + 0; // + 0 turns -0 into 0
}
