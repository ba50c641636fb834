import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkErrorCode, StreamChunksResponse } from './generated/lunastream/chunk/v1/chunk_service.ts';
import { StreamSamplesResponse, VoxelType } from './generated/lunastream/augment/v1/augmentation_service.ts';
import { VOXELS_HEADROOM_BYTES, voxelsAfterHeadroom } from './tensor-codec.ts';
import { AugmentationServiceService, ChunkServiceService } from './tensor-services.ts';

const { responseSerialize: encodeChunk, responseDeserialize: decodeChunk } = ChunkServiceService.streamChunks;
const {
  responseSerialize: encodeSample,
  responseDeserialize: decodeSample,
  responseFrame: frameSample,
} = AugmentationServiceService.streamSamples;

const size = fc.nat({ max: 0xffff_ffff });
const shape = fc.option(fc.record({ depth: size, height: size, width: size }), { nil: undefined });
const voxelsHu = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const samplesOf = (voxels: fc.Arbitrary<Buffer>) =>
  fc.record({
    ordinal: size,
    result: fc.record({
      $case: fc.constant('sample' as const),
      value: fc.record({
        shape,
        voxelsHu: voxels,
        borderFraction: fc.double({ noNaN: true, min: 0, max: 1 }),
        voxelsChecksum: size,
        voxelType: fc.constantFrom(VoxelType.UNSPECIFIED, VoxelType.FLOAT32, VoxelType.FLOAT16),
      }),
    }),
  });
const samples = samplesOf(voxelsHu);
const chunks = fc.record({
  referenceIndex: size,
  result: fc.record({ $case: fc.constant('chunk' as const), value: fc.record({ shape, voxelsHu }) }),
});

describe('the tensor codec', () => {
  it('writes what ts-proto reads', () => {
    fc.assert(
      fc.property(samples, chunks, (sample, chunk) => {
        expect(StreamSamplesResponse.decode(encodeSample(sample))).toEqual(sample);
        expect(StreamChunksResponse.decode(encodeChunk(chunk))).toEqual(chunk);
      }),
    );
  });

  it('reads what ts-proto writes', () => {
    fc.assert(
      fc.property(samples, chunks, (sample, chunk) => {
        expect(decodeSample(Buffer.from(StreamSamplesResponse.encode(sample).finish()))).toEqual(sample);
        expect(decodeChunk(Buffer.from(StreamChunksResponse.encode(chunk).finish()))).toEqual(chunk);
      }),
    );
  });

  it('carries answers without voxels as ts-proto does', () => {
    const error = { code: ChunkErrorCode.DATA_LOSS, message: 'the scan went away' };
    for (const result of [{ $case: 'error', value: error } as const, undefined]) {
      const response = { referenceIndex: 7, result };
      const bytes = encodeChunk(response);
      expect(bytes).toEqual(Buffer.from(StreamChunksResponse.encode(response).finish()));
      expect(decodeChunk(bytes)).toEqual(response);
    }
  });

  it('passes over fields of later versions, before and behind the voxels', () => {
    const response = { ordinal: 3, result: undefined };
    const sample = {
      shape: { depth: 1, height: 1, width: 1 },
      voxelsHu: Buffer.of(1, 2, 3, 4),
      borderFraction: 0.5,
      voxelType: VoxelType.FLOAT32,
      voxelsChecksum: 0xdeadbeef,
    };
    // Field 15, a varint of 1.
    const unknown = Buffer.of(0x78, 0x01);
    const bytes = encodeSample({ ...response, result: { $case: 'sample', value: sample } });
    const read = decodeSample(Buffer.concat([unknown, bytes, unknown]));
    expect(read).toEqual({ ordinal: 3, result: { $case: 'sample', value: sample } });
  });

  it('reads voxels without copying them', () => {
    const value = { shape: undefined, voxelsHu: Buffer.alloc(50_000, 7) };
    const bytes = encodeChunk({ referenceIndex: 0, result: { $case: 'chunk', value } });
    const { result } = decodeChunk(bytes);
    expect(result?.$case === 'chunk' && result.value.voxelsHu.buffer).toBe(bytes.buffer);
  });

  it.each([50_000, 2 ** 20, 3 * 2 ** 20])(
    'writes messages of %d bytes one after the other, each whole once gRPC has copied it',
    (length) => {
      const chunkOf = (fill: number) => ({
        referenceIndex: fill,
        result: {
          $case: 'chunk' as const,
          value: { shape: undefined, voxelsHu: Buffer.alloc(length, fill) },
        },
      });
      // As grpc-js does: each message is copied into a frame before the next is asked for.
      const frames = [1, 2, 3].map((fill) => Buffer.from(encodeChunk(chunkOf(fill))));
      for (const [index, frame] of frames.entries()) {
        const { referenceIndex, result } = decodeChunk(frame);
        expect([referenceIndex, result?.$case]).toEqual([index + 1, 'chunk']);
        // Compared as bytes: value by value takes a minute.
        const voxels = result?.$case === 'chunk' ? result.value.voxelsHu : Buffer.alloc(0);
        expect(voxels.equals(Buffer.alloc(length, index + 1))).toBe(true);
      }
    },
  );

  const roomy = voxelsHu.map((voxels) => {
    const buffer = new ArrayBuffer(VOXELS_HEADROOM_BYTES + voxels.length);
    new Uint8Array(buffer).set(voxels, VOXELS_HEADROOM_BYTES);
    return voxelsAfterHeadroom(buffer);
  });

  it('writes a message in front of voxels with headroom, byte for byte what it writes without', () => {
    fc.assert(
      fc.property(samplesOf(roomy), (sample) => {
        const { value } = sample.result;
        const copied = { ...value, voxelsHu: Buffer.from(value.voxelsHu) };
        const bytes = encodeSample(sample);
        expect(bytes).toEqual(encodeSample({ ...sample, result: { $case: 'sample', value: copied } }));
        expect(bytes.buffer).toBe(value.voxelsHu.buffer);
        expect(encodeSample(sample)).toEqual(bytes);
      }),
    );
  });

  it('writes the frame of a message around voxels with headroom', () => {
    fc.assert(
      fc.property(samplesOf(roomy), (sample) => {
        const message = Buffer.from(encodeSample(sample));
        const frame = frameSample(sample);
        expect([frame?.readUInt8(0), frame?.readUInt32BE(1)]).toEqual([0, message.length]);
        expect(frame?.subarray(5)).toEqual(message);
        expect(frame?.buffer).toBe(sample.result.value.voxelsHu.buffer);
      }),
    );
  });

  it('frames the longest message that there is within the headroom', () => {
    const largest = 0xffff_ffff;
    const value = {
      shape: { depth: largest, height: largest, width: largest },
      voxelsHu: voxelsAfterHeadroom(new ArrayBuffer(VOXELS_HEADROOM_BYTES + 2 ** 24)),
      borderFraction: 0.3,
      voxelType: VoxelType.FLOAT16,
      voxelsChecksum: largest,
    };
    const frame = frameSample({ ordinal: largest, result: { $case: 'sample', value } });
    expect(frame?.buffer).toBe(value.voxelsHu.buffer);
  });

  it('writes whole messages after one that could not be written', () => {
    const response = { ordinal: 3, result: undefined };
    const expected = encodeSample(response);
    const value = { shape: undefined, voxelsHu: Buffer.of(1), borderFraction: 0.5, voxelsChecksum: -1 };
    const broken = { ...value, voxelType: VoxelType.FLOAT32 };
    expect(() => encodeSample({ ordinal: 3, result: { $case: 'sample', value: broken } })).toThrow();
    expect(encodeSample(response)).toEqual(expected);
  });

  it('frames voxels without headroom in memory that no other message uses', () => {
    const both = fc.tuple(samples, samples);
    fc.assert(
      fc.property(both, ([sample, other]) => {
        const message = Buffer.from(encodeSample(sample));
        const frame = frameSample(sample);
        frameSample(other);
        encodeSample(other);
        expect([frame?.readUInt8(0), frame?.readUInt32BE(1)]).toEqual([0, message.length]);
        expect(frame?.subarray(5)).toEqual(message);
      }),
    );
  });

  it('frames nothing that has no voxels', () => {
    const value = { code: ChunkErrorCode.DATA_LOSS, message: 'the scan went away' };
    expect(frameSample({ ordinal: 7, result: { $case: 'error', value } })).toBeUndefined();
    expect(frameSample({ ordinal: 7, result: undefined })).toBeUndefined();
  });

  it('refuses a message that was cut short', () => {
    const value = { shape: undefined, voxelsHu: Buffer.alloc(500, 7) };
    const bytes = encodeChunk({ referenceIndex: 1, result: { $case: 'chunk', value } });
    for (const length of [bytes.length - 1, 300, 3]) {
      expect(() => decodeChunk(bytes.subarray(0, length))).toThrow(RangeError);
    }
  });
});
