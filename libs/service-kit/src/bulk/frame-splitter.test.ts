import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSplitter } from './frame-splitter.ts';

/** Section 4.1 of RFC 9113. */
function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** What a splitter makes of bytes that come in pieces which end at `cuts`. */
function split(bytes: Buffer, cuts: readonly number[] = []) {
  const data = new Map<number, string>();
  const windows = new Map<number, number>();
  let others = '';
  const splitter = new FrameSplitter({
    beginData: (streamId, sizeBytes) => windows.set(streamId, (windows.get(streamId) ?? 0) + sizeBytes),
    data: (streamId, part, start, end) =>
      data.set(streamId, (data.get(streamId) ?? '') + part.toString('hex', start, end)),
    other: (part) => (others += part.toString('hex')),
  });
  const received = Buffer.alloc(bytes.length);
  let at = 0;
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    bytes.copy(received, 0, at, end);
    splitter.push(received, end - at);
    received.fill(0xee);
    at = end;
  }
  return { data, windows, others };
}

const payload = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const streamId = fc.integer({ min: 1, max: 5 });
const otherFrame = fc.record({
  kind: fc.constant('other' as const),
  type: fc.integer({ min: 1, max: 20 }),
  flags: fc.nat({ max: 255 }),
  streamId: fc.nat({ max: 5 }),
  payload,
});
const dataFrame = fc.record({
  kind: fc.constant('data' as const),
  streamId,
  payload,
  padding: fc.option(fc.nat({ max: 20 }), { nil: undefined }),
  endsStream: fc.boolean(),
});

describe('a FrameSplitter', () => {
  it('parts data from all other frames, wherever bytes are cut and whatever is padded', () => {
    const frames = fc.array(fc.oneof(dataFrame, otherFrame), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 10 }), (sent, cuts) => {
        const bytes: Buffer[] = [];
        const data = new Map<number, string>();
        const windows = new Map<number, number>();
        let others = '';
        for (const one of sent) {
          if (one.kind === 'other') {
            bytes.push(frame(one.type, one.flags, one.streamId, one.payload));
            others += bytes.at(-1)!.toString('hex');
            continue;
          }
          const { padding, endsStream } = one;
          const content =
            padding === undefined
              ? one.payload
              : Buffer.concat([Buffer.of(padding), one.payload, Buffer.alloc(padding, 0x77)]);
          bytes.push(frame(0, Number(endsStream) + (padding === undefined ? 0 : 0x8), one.streamId, content));
          windows.set(one.streamId, (windows.get(one.streamId) ?? 0) + content.length);
          if (one.payload.length > 0) {
            data.set(one.streamId, (data.get(one.streamId) ?? '') + one.payload.toString('hex'));
          }
          if (endsStream) others += frame(0, 1, one.streamId, Buffer.alloc(0)).toString('hex');
        }
        expect(split(Buffer.concat(bytes), cuts)).toEqual({ data, windows, others });
      }),
    );
  });

  it.each([
    ['is longer than HTTP/2 allows', frame(0, 0, 1, Buffer.alloc(2 ** 14 + 1)), /at most 16384 bytes/],
    ['belongs to no stream', frame(0, 0, 0, Buffer.alloc(1)), /must be of a stream/],
    ['is shorter than its padding', frame(0, 8, 1, Buffer.of(9, 0)), /longer than its padding/],
  ])('throws for a DATA frame that %s', (_what, bytes, message) => {
    expect(() => split(bytes)).toThrow(message);
  });
});
