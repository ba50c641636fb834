import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageSplitter } from './message-splitter.ts';

function prefixed(message: Uint8Array, mark = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = mark;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** A splitter of messages of 100 bytes at most, and what it found. */
function splitterOf(onBegin: () => void = () => undefined) {
  const found: { sizeBytes: number; hex: string; isWhole: boolean }[] = [];
  const splitter = new MessageSplitter(
    {
      begin: (sizeBytes) => {
        found.push({ sizeBytes, hex: '', isWhole: false });
        onBegin();
      },
      bytes: (bytes, start, end) => (found.at(-1)!.hex += bytes.toString('hex', start, end)),
      end: () => (found.at(-1)!.isWhole = true),
    },
    100,
  );
  return { splitter, found };
}

describe('a MessageSplitter', () => {
  it('finds every message, wherever bytes are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 8 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((message) => prefixed(message)));
        const { splitter, found } = splitterOf();
        let at = 0;
        for (const end of [
          ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
          bytes.length,
        ]) {
          splitter.push(bytes, at, end);
          at = end;
        }
        const whole = sent.map((message) => ({
          sizeBytes: message.length,
          hex: Buffer.from(message).toString('hex'),
          isWhole: true,
        }));
        expect(found).toEqual(whole);
        expect(splitter.isWithinMessage).toBe(false);
      }),
    );
  });

  it('knows that a message is not all there', () => {
    for (const length of [1, 5, 7]) {
      const { splitter } = splitterOf();
      splitter.push(prefixed(Buffer.alloc(3)), 0, length);
      expect(splitter.isWithinMessage).toBe(true);
    }
  });

  it('refuses messages that are too long before any of their bytes', () => {
    const { splitter, found } = splitterOf();
    const tooLong = expect.objectContaining({
      code: status.RESOURCE_EXHAUSTED,
      details: 'Cannot read a message: it must have at most 100 bytes, got 101',
    }) as Error;
    expect(() => splitter.push(prefixed(Buffer.alloc(101)), 0, 5)).toThrow(tooLong);
    expect(found).toEqual([]);
  });

  it('refuses compressed messages, and bytes that are none', () => {
    for (const mark of [1, 0x3c]) {
      const { splitter } = splitterOf();
      const fault = expect.objectContaining({ code: status.INTERNAL }) as Error;
      expect(() => splitter.push(prefixed(Buffer.alloc(1), mark), 0, 6)).toThrow(fault);
    }
  });

  it('gives nothing more once it is stopped, not even of the bytes at hand', () => {
    const { splitter, found } = splitterOf(() => splitter.stop());
    const bytes = Buffer.concat([prefixed(Buffer.alloc(3)), prefixed(Buffer.alloc(3))]);
    splitter.push(bytes, 0, bytes.length);
    splitter.push(bytes, 0, bytes.length);
    expect(found).toEqual([{ sizeBytes: 3, hex: '', isWhole: false }]);
  });
});
