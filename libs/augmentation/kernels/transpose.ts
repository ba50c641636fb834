/**
 * Turning a 4 × 4 tile of 32-bit lanes round, in two steps of four shuffles: rows a, b, c, d are interleaved in pairs,
 * then the pairs are joined. `joinLow(interleaveLow(a, b), interleaveLow(c, d))` is column 0.
 */

export function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
}

export function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
}

export function joinLow(ab: v128, cd: v128): v128 {
  return v128.shuffle<u64>(ab, cd, 0, 2);
}

export function joinHigh(ab: v128, cd: v128): v128 {
  return v128.shuffle<u64>(ab, cd, 1, 3);
}
