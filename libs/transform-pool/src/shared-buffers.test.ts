import { describe, expect, it } from 'vitest';
import { SharedBuffers } from './shared-buffers.ts';

const bytesOf = (buffer: SharedArrayBuffer) => [...new Uint8Array(buffer)];

describe('SharedBuffers', () => {
  it('copies bytes from wherever they begin', () => {
    const buffers = new SharedBuffers({ limitBytes: 100 });
    const bytes = Uint8Array.from({ length: 40 }, (_, index) => index);
    for (let start = 0; start < 9; start++) {
      const copy = buffers.copyOf(bytes.subarray(start, start + 20));
      expect(bytesOf(copy)).toEqual([...bytes.subarray(start, start + 20)]);
    }
  });

  it('uses what was given back for the next bytes of that size', () => {
    const buffers = new SharedBuffers({ limitBytes: 100 });
    const first = buffers.copyOf(Uint8Array.of(1, 2, 3));
    const other = buffers.copyOf(Uint8Array.of(1, 2));
    expect(buffers.copyOf(Uint8Array.of(4, 5, 6))).not.toBe(first);
    buffers.giveBack(first);
    buffers.giveBack(other);
    expect(buffers.copyOf(Uint8Array.of(7, 8, 9))).toBe(first);
    expect(bytesOf(first)).toEqual([7, 8, 9]);
    expect(buffers.idleBytes).toBe(2);
  });

  it('keeps the latest up to its limit', () => {
    const buffers = new SharedBuffers({ limitBytes: 10 });
    const given = [4, 5, 6].map((size) => new SharedArrayBuffer(size));
    for (const buffer of given) buffers.giveBack(buffer);
    expect(buffers.idleBytes).toBe(6);
    expect(buffers.copyOf(new Uint8Array(5))).not.toBe(given[1]);
    expect(buffers.copyOf(new Uint8Array(6))).toBe(given[2]);
    buffers.giveBack(new SharedArrayBuffer(11));
    expect(buffers.idleBytes).toBe(0);
  });
});
