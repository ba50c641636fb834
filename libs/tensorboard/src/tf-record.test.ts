import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';
import { CorruptEventFileError } from './errors.ts';
import { decodeRecords, encodeRecord } from './tf-record.ts';

describe('crc32c()', () => {
  it('gives the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd_794e);
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe306_9283);
  });
});

describe('encodeRecord() and decodeRecords()', () => {
  it('are each other’s inverse', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (contents) => {
        const file = new Uint8Array(Buffer.concat(contents.map(encodeRecord)));
        expect([...decodeRecords(file)]).toEqual(contents);
      }),
    );
  });

  it('notice every altered byte and every cut', () => {
    const [first, second] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)].map(encodeRecord);
    const file = new Uint8Array(Buffer.concat([first!, second!]));
    for (let at = 0; at < file.length; at++) {
      const altered = file.slice();
      altered[at]! ^= 0x10;
      expect(() => [...decodeRecords(altered)], `byte ${at}`).toThrow(CorruptEventFileError);
      if (at === 0 || at === first!.length) continue;
      expect(() => [...decodeRecords(file.subarray(0, at))], `cut at ${at}`).toThrow(CorruptEventFileError);
    }
  });

  it('give what is sound before the fault, and name its place', () => {
    const sound = encodeRecord(Uint8Array.of(7));
    const file = new Uint8Array(Buffer.concat([sound, Uint8Array.of(1, 2)]));
    const records = decodeRecords(file);
    expect(records.next().value).toEqual(Uint8Array.of(7));
    expect(() => records.next()).toThrow(
      `Cannot read event file at byte ${sound.length}: a record needs a header of 12 bytes, got 2`,
    );
  });
});
