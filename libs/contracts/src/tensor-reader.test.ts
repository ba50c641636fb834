import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  SampleErrorCode,
  StreamSamplesResponse,
  VoxelType,
  type Sample,
} from './generated/lunastream/augment/v1/augmentation_service.ts';
import { AugmentationServiceService, createSampleReader } from './tensor-services.ts';

const { responseSerialize, responseDeserialize } = AugmentationServiceService.streamSamples;
const GUARD = 0xab;

/** A reader that places voxels between two guards, and all that it told. */
function readerOf(wantsPlaces = true) {
  const read: StreamSamplesResponse[] = [];
  let placed: { head: StreamSamplesResponse; memory: Buffer } | undefined;
  let placedCount = 0;
  let isDropped = false;
  let looked: Buffer[] = [];
  const reader = createSampleReader({
    place: (head, voxelBytes) => {
      if (!wantsPlaces) return undefined;
      placed = { head, memory: Buffer.from(new SharedArrayBuffer(voxelBytes + 2)).fill(GUARD) };
      return placed.memory.subarray(1, 1 + voxelBytes);
    },
    voxels: (bytes, start, end) => looked.push(Buffer.from(bytes.subarray(start, end))),
    placed: () => {
      placedCount++;
      const { head, memory } = placed!;
      expect([memory[0], memory.at(-1)]).toEqual([GUARD, GUARD]);
      const value = { ...(head.result!.value as Sample), voxelsHu: Buffer.from(memory.subarray(1, -1)) };
      read.push({ ...head, result: { $case: 'sample', value } });
      if (!isDropped) expect(Buffer.concat(looked)).toEqual(value.voxelsHu);
      looked = [];
    },
    message: (response) => {
      const { result } = response;
      if (result?.$case !== 'sample') return void read.push(response);
      const value = { ...result.value, voxelsHu: Buffer.from(result.value.voxelsHu) };
      read.push({ ...response, result: { $case: 'sample', value } });
    },
  });
  /** Gives `message` in pieces that end at `cuts`, each from the middle of a buffer that is used again. */
  const give = (message: Buffer, cuts: readonly number[] = []) => {
    const received = Buffer.alloc(message.length + 7);
    reader.begin(message.length);
    let at = 0;
    for (const end of [
      ...cuts.map((cut) => cut % (message.length + 1)).sort((a, b) => a - b),
      message.length,
    ]) {
      message.copy(received, 7, at, end);
      if (end > at) reader.bytes(received, 7, 7 + end - at);
      received.fill(0xee);
      at = end;
    }
    reader.end();
  };
  const drop = () => {
    isDropped = true;
    reader.drop();
  };
  return { reader, drop, read, give, memory: () => placed!.memory, placedCount: () => placedCount };
}

const size = fc.nat({ max: 0xffff_ffff });
const sample = fc.record({
  ordinal: size,
  result: fc.record({
    $case: fc.constant('sample' as const),
    value: fc.record({
      shape: fc.option(fc.record({ depth: size, height: size, width: size }), { nil: undefined }),
      voxelsHu: fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
      borderFraction: fc.double({ noNaN: true, min: 0, max: 1 }),
      voxelsChecksum: size,
      voxelType: fc.constantFrom(VoxelType.UNSPECIFIED, VoxelType.FLOAT32, VoxelType.FLOAT16),
    }),
  }),
});
const cuts = fc.array(fc.nat(), { maxLength: 8 });

/** Comparing text is quick where comparing Buffers is not. */
const textOf = (response: StreamSamplesResponse) =>
  Buffer.from(StreamSamplesResponse.encode(response).finish()).toString('hex');

/** A length-delimited field. */
function field(number: number, content: Uint8Array): Buffer {
  const head = [number * 8 + 2];
  let { length } = content;
  for (; length >= 0x80; length = Math.floor(length / 0x80)) head.push((length % 0x80) | 0x80);
  return Buffer.concat([Buffer.of(...head, length), content]);
}

/** Field 15, a varint; one that this version does not know. */
const UNKNOWN = Buffer.of(0x78, 0x01);
const ORDINAL_3 = Buffer.of(0x08, 0x03);
const VOXELS = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251));
const TYPE_FLOAT32 = Buffer.of(0x28, 0x01);
const CHECKSUM = Buffer.of(0x35, 0xef, 0xbe, 0xad, 0xde);

describe('a TensorReader', () => {
  it('places the voxels of what our encoder writes, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(sample, cuts), { minLength: 1, maxLength: 4 }), (messages) => {
        const { read, give, placedCount } = readerOf();
        for (const [message, at] of messages) give(Buffer.from(responseSerialize(message)), at);
        expect(read.map(textOf)).toEqual(messages.map(([message]) => textOf(message)));
        expect(placedCount()).toBe(messages.length);
      }),
    );
  });

  it('gives messages whole that get no place, wherever they are cut', () => {
    fc.assert(
      fc.property(sample, cuts, (message, at) => {
        const { read, give, placedCount } = readerOf(false);
        give(Buffer.from(responseSerialize(message)), at);
        expect(read.map(textOf)).toEqual([textOf(message)]);
        expect(placedCount()).toBe(0);
      }),
    );
  });

  it('reads fields in any order, and passes over unknown ones, as ts-proto does', () => {
    const parts = [field(2, VOXELS), TYPE_FLOAT32, CHECKSUM, UNKNOWN];
    const inner = fc.shuffledSubarray(parts, { minLength: 1 });
    const outer = fc.shuffledSubarray(['ordinal', 'sample', 'unknown'], { minLength: 1 });
    fc.assert(
      fc.property(inner, outer, cuts, (fields, order, at) => {
        const of: Record<string, Buffer> = {
          ordinal: ORDINAL_3,
          sample: field(2, Buffer.concat(fields)),
          unknown: UNKNOWN,
        };
        const message = Buffer.concat(order.map((name) => of[name]!));
        const { read, give } = readerOf();
        give(message, at);
        expect(read.map(textOf)).toEqual([textOf(StreamSamplesResponse.decode(message))]);
      }),
    );
  });

  it('takes the last of several samples and of several voxels', () => {
    const sampleOf = (...fields: Buffer[]) => field(2, Buffer.concat(fields));
    const message = Buffer.concat([
      sampleOf(CHECKSUM, field(2, Buffer.of(9, 9, 9))),
      ORDINAL_3,
      sampleOf(field(2, Buffer.of(7)), TYPE_FLOAT32, field(2, VOXELS)),
    ]);
    const { read, give } = readerOf();
    give(message);
    expect(read[0]?.result?.value).toMatchObject({ voxelsHu: VOXELS, voxelsChecksum: 0 });
  });

  it('reads answers without voxels, and empty ones', () => {
    const { read, give } = readerOf();
    const value = { code: SampleErrorCode.DATA_LOSS, message: 'the scan went away'.repeat(40) };
    const answers = [
      { ordinal: 7, result: { $case: 'error', value } as const },
      { ordinal: 0, result: undefined },
    ];
    for (const answer of answers) give(responseSerialize(answer), [1, 100]);
    expect(read).toEqual(answers);
  });

  it('throws for what is no message, and reads the next one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), cuts, (bytes, at) => {
        const message = Buffer.from(bytes);
        const { read, give } = readerOf(false);
        let isMessage = true;
        try {
          responseDeserialize(message);
        } catch {
          isMessage = false;
        }
        if (isMessage) give(message, at);
        else expect(() => give(message, at)).toThrow();
        give(responseSerialize({ ordinal: 5, result: undefined }));
        expect(read.at(-1)).toEqual({ ordinal: 5, result: undefined });
      }),
    );
  });

  it('throws for a message whose lengths reach beyond its end', () => {
    const { give } = readerOf();
    const message = Buffer.concat([ORDINAL_3, field(2, Buffer.concat([CHECKSUM, field(2, VOXELS)]))]);
    for (const cut of [1, 100]) expect(() => give(message.subarray(0, -cut))).toThrow();
  });

  it('writes nothing more to a place once its voxels are dropped', () => {
    const { reader, drop, memory, placedCount } = readerOf();
    const message = Buffer.concat([ORDINAL_3, field(2, Buffer.concat([CHECKSUM, field(2, VOXELS)]))]);
    reader.begin(message.length);
    reader.bytes(message, 0, 200);
    const before = Buffer.from(memory());
    drop();
    reader.bytes(message, 200, message.length);
    reader.end();
    expect(Buffer.from(memory())).toEqual(before);
    expect(placedCount()).toBe(1);
  });
});
