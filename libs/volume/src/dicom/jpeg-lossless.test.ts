import { describe, expect, it } from 'vitest';
import { decodeJpegLossless, JpegLosslessFault } from './jpeg-lossless.ts';

const segment = (marker: number, ...body: number[]) => [0xff, marker, 0, body.length + 2, ...body];
/** A table whose one code, the bit 0, stands for `category`. */
const table = (category: number) => segment(0xc4, 0, 1, ...Array.from({ length: 15 }, () => 0), category);
const frame = (width: number, height: number) => segment(0xc3, 8, 0, height, 0, width, 1, 1, 0x11, 0);
const scan = (predictor: number, pointTransform = 0) => segment(0xda, 1, 1, 0, predictor, 0, pointTransform);
const jpeg = (...parts: (number | number[])[]) => Uint8Array.from([0xff, 0xd8, ...parts.flat(), 0xff, 0xd9]);

describe('decodeJpegLossless()', () => {
  it('starts with half of the range, and differences add up along the first line', () => {
    // Category 1 with the bit 1 is a difference of +1: the bits 01 for each sample.
    const bytes = jpeg(table(1), frame(4, 1), scan(1), 0b01010101);
    expect([...decodeJpegLossless(bytes)]).toEqual([129, 130, 131, 132]);
  });

  it('starts anew after a restart marker', () => {
    const restart = segment(0xdd, 0, 4);
    const line = 0b01010101;
    const whole = jpeg(table(1), restart, frame(4, 2), scan(1), line, 0xff, 0xd0, line);
    expect([...decodeJpegLossless(whole)]).toEqual([129, 130, 131, 132, 129, 130, 131, 132]);
    const without = jpeg(table(1), restart, frame(4, 2), scan(1), line, line);
    expect(() => decodeJpegLossless(without)).toThrow('a restart marker is missing');
    const inLine = jpeg(table(1), segment(0xdd, 0, 3), frame(4, 2), scan(1), line, line);
    expect(() => decodeJpegLossless(inLine)).toThrow('restarts must come at the ends of lines');
  });

  it('shifts samples back by the point transform, and takes the zero after FF out', () => {
    const bytes = jpeg(table(4), frame(2, 1), scan(1, 1), 0b01111011, 0b11000000);
    // Category 4 with 1111 is +15, twice, from 64: 79 and 94, doubled.
    expect([...decodeJpegLossless(bytes)]).toEqual([158, 188]);
    const stuffed = jpeg(table(8), frame(1, 1), scan(1), 0b01111111, 0b10000000);
    expect([...decodeJpegLossless(stuffed)]).toEqual([383]);
    const ff = jpeg(
      segment(0xc4, 0, 0, 2, ...Array.from({ length: 14 }, () => 0), 0, 8),
      frame(1, 1),
      scan(1),
      0b01111111,
      0xff,
      0x00,
    );
    expect([...decodeJpegLossless(ff)]).toEqual([383]);
  });

  it.each([
    ['data that end early', jpeg(table(1), frame(4, 2), scan(1), 0b01010101), 'end before its last row'],
    ['no scan', jpeg(table(1), frame(4, 2)), 'must have a scan behind whole segments'],
    ['no table', jpeg(frame(4, 2), scan(1)), 'with its tables'],
    ['no frame', jpeg(table(1), scan(1)), 'with its tables'],
    ['predictor 0', jpeg(table(1), frame(4, 2), scan(0)), 'of one component'],
    [
      'a code that is not in the table',
      jpeg(table(1), frame(1, 1), scan(1), 0x80, 0, 0),
      'a code that its table lacks',
    ],
    ['a category beyond 16', jpeg(table(17), frame(1, 1), scan(1), 0), 'a code that its table lacks'],
    [
      'lossy JPEG',
      jpeg(segment(0xc0, 8, 0, 1, 0, 1, 1, 1, 0x11, 0)),
      'must have a scan behind whole segments',
    ],
    ['a segment that is cut', Uint8Array.from([0xff, 0xd8, 0xff, 0xc4, 0, 99, 0]), 'behind whole segments'],
    [
      'a table that is cut',
      jpeg(segment(0xc4, 0, 200, ...Array.from({ length: 15 }, () => 0))),
      'table is cut short',
    ],
    ['what is no marker', jpeg(1, 2, 3, 4), 'behind whole segments'],
  ])('refuses %s', (_, bytes, rule) => {
    expect(() => decodeJpegLossless(bytes)).toThrow(JpegLosslessFault);
    expect(() => decodeJpegLossless(bytes)).toThrow(rule);
  });
});
