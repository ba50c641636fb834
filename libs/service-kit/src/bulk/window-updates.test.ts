import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBoundary, windowUpdate } from './window-updates.ts';

describe('windowUpdate()', () => {
  it('is a WINDOW_UPDATE frame of RFC 9113, section 6.9', () => {
    expect(windowUpdate(0x1234, 0x56789a).toString('hex')).toBe('00000408000000123400' + '56789a');
  });
});

describe('a FrameBoundary', () => {
  it('is where preface and frames end, wherever bytes are cut', () => {
    const lengths = fc.array(fc.nat({ max: 300 }), { maxLength: 5 });
    fc.assert(
      fc.property(lengths, (frames) => {
        const boundary = new FrameBoundary();
        const isHere: boolean[] = [];
        const expected: boolean[] = [];
        const push = (bytes: Buffer) => {
          for (const [index] of bytes.entries()) {
            boundary.push(bytes.subarray(index, index + 1));
            isHere.push(boundary.isHere);
            expected.push(index === bytes.length - 1);
          }
        };
        push(Buffer.alloc(24));
        for (const length of frames) {
          const frame = Buffer.alloc(9 + length);
          frame.writeUIntBE(length, 0, 3);
          push(frame);
        }
        expect(isHere).toEqual(expected);
      }),
    );
  });

  it('is nowhere before the preface', () => {
    expect(new FrameBoundary().isHere).toBe(false);
  });
});
