import { describe, expect, it } from 'vitest';
import { philox4x32, type Words4 } from './philox.ts';

// Random123 1.09, file kat_vectors, lines "philox4x32 10": counter, key, expected output.
const KNOWN_ANSWERS: [Words4, [number, number], Words4][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

describe('philox4x32()', () => {
  it.each(KNOWN_ANSWERS)('reproduces the Random123 known answer for counter %j', (counter, key, expected) => {
    const out: Words4 = [0, 0, 0, 0];
    philox4x32(counter, key, out);
    expect(out).toEqual(expected);
  });

  it('allows writing over its own counter', () => {
    const [counter, key, expected] = KNOWN_ANSWERS[2]!;
    const words: Words4 = [...counter];
    philox4x32(words, key, words);
    expect(words).toEqual(expected);
  });
});
