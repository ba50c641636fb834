/**
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11) for consecutive
 * counters: lane l of a word vector belongs to counter first + l. Equal to `philox4x32` of @lunastream/random, word for
 * word. Counters are (block, ordinal, purpose, 0), keys (runSeed, epoch), as in that package's RandomStream.
 *
 * A caller keeps the four words of each set of counters in local variables and runs ROUNDS rounds over all its sets
 * together: one set alone waits for its own multiplications most of the time.
 */
export const ROUNDS = 10;

export const MULTIPLIER_0: u32 = 0xd2511f53;
export const MULTIPLIER_1: u32 = 0xcd9e8d57;
export const KEY_INCREMENT_0: u32 = 0x9e3779b9;
export const KEY_INCREMENT_1: u32 = 0xbb67ae85;

/** Low halves of the 64-bit products of the lanes of `word` and `multiplier`. */
export function multiplyLow(multiplier: v128, word: v128): v128 {
  return v128.shuffle<u32>(
    i64x2.extmul_low_i32x4_u(multiplier, word),
    i64x2.extmul_high_i32x4_u(multiplier, word),
    0,
    2,
    4,
    6,
  );
}

/** High halves of the same products. */
export function multiplyHigh(multiplier: v128, word: v128): v128 {
  return v128.shuffle<u32>(
    i64x2.extmul_low_i32x4_u(multiplier, word),
    i64x2.extmul_high_i32x4_u(multiplier, word),
    1,
    3,
    5,
    7,
  );
}
