import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint, type JsonValue } from './checkpoint.ts';
import { CorruptCheckpointError } from './errors.ts';
import { hashState } from './model-state.ts';

const CHECKPOINT: Checkpoint = {
  state: [
    { name: 'head.weight', shape: [2, 3], values: Float32Array.of(1, -2, 0.5, 0, -0, 1e-40) },
    { name: 'scalar', shape: [], values: Float32Array.of(7) },
  ],
  metadata: { epoch: 3, samplesSeen: 600_000, runSeed: 7, settings: { chunk: [32, 48, 48], tag: 'é' } },
};
const file = encodeCheckpoint(CHECKPOINT);
const headerEnd = () => 8 + Number(new DataView(file.buffer).getBigUint64(0, true));

const tensors = fc.uniqueArray(
  fc.record({
    // "w" first: JSON objects put names that look like integers in front of others.
    name: fc.string().map((name) => `w${name}`),
    sides: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    seed: fc.nat(),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
);
const checkpoints: fc.Arbitrary<Checkpoint> = fc.record({
  state: tensors.map((specs) =>
    specs.map(({ name, sides, seed }) => {
      const size = sides.reduce((product, side) => product * side, 1);
      const words = Uint32Array.from(
        { length: size },
        (_, i) => Math.imul(seed + i, 2654435761) & 0x7f7fffff,
      );
      return { name, shape: sides, values: new Float32Array(words.buffer) };
    }),
  ),
  metadata: fc.record({
    epoch: fc.nat(),
    samplesSeen: fc.maxSafeNat(),
    runSeed: fc.nat(),
    settings: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue),
  }),
});
const progresses = fc.nat({ max: 20 }).map((count) => ({
  probabilities: Float32Array.from({ length: count }, (_, ordinal) => ordinal / 21),
  losses: Float32Array.from({ length: count }, (_, ordinal) => Math.fround(ordinal * 0.3)),
}));

describe('encodeCheckpoint()', () => {
  it('writes the safetensors layout', () => {
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, headerEnd()))) as Record<
      string,
      object
    >;
    expect(headerEnd() % 8).toBe(0);
    expect(header['head.weight']).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] });
    expect(header['scalar']).toEqual({ dtype: 'F32', shape: [], data_offsets: [24, 28] });
    expect(header['__metadata__']).toMatchObject({
      format_version: '1',
      epoch: '3',
      samples_seen: '600000',
      run_seed: '7',
    });
    expect(new DataView(file.buffer).getFloat32(headerEnd() + 4, true)).toBe(-2);
    expect(file.length).toBe(headerEnd() + 28);
  });

  it('gives equal bytes for equal checkpoints', () => {
    expect(encodeCheckpoint(structuredClone(CHECKPOINT))).toEqual(file);
  });
});

describe('decodeCheckpoint()', () => {
  it('inverts encodeCheckpoint(), to the bit', () => {
    fc.assert(
      fc.property(checkpoints, (checkpoint) => {
        const decoded = decodeCheckpoint(encodeCheckpoint(checkpoint));
        expect(decoded).toEqual(checkpoint);
        expect(hashState(decoded.state)).toBe(hashState(checkpoint.state));
      }),
    );
  });

  it('inverts encodeCheckpoint() of a checkpoint within an epoch, and notices when its progress is altered', () => {
    fc.assert(
      fc.property(checkpoints, progresses, (checkpoint, progress) => {
        const within = { ...checkpoint, progress };
        const bytes = encodeCheckpoint(within);
        expect(decodeCheckpoint(bytes)).toEqual(within);
        if (progress.losses.length === 0) return;
        bytes[bytes.length - 1]! ^= 1;
        expect(() => decodeCheckpoint(bytes)).toThrow(/its progress must have SHA-256/);
      }),
    );
  });

  it('reads a file that lies unaligned in a larger buffer', () => {
    const buffer = new Uint8Array(file.length + 3);
    buffer.set(file, 3);
    expect(decodeCheckpoint(buffer.subarray(3))).toEqual(CHECKPOINT);
  });

  it('refuses a file cut off anywhere', () => {
    for (let length = 0; length < file.length; length++) {
      expect(() => decodeCheckpoint(file.subarray(0, length)), `${length} bytes`).toThrow(
        CorruptCheckpointError,
      );
    }
  });

  it('never returns anything else after one altered byte', () => {
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const altered = file.slice();
        altered[position]! ^= change;
        try {
          // White space between header and data may change without harm.
          expect(decodeCheckpoint(altered)).toEqual(CHECKPOINT);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptCheckpointError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('tells an altered weight from an altered epoch', () => {
    const weight = file.slice();
    weight[weight.length - 1]! ^= 1;
    expect(() => decodeCheckpoint(weight)).toThrow(/its tensors must have SHA-256/);
    const text = new TextDecoder('latin1').decode(file).replace('"epoch":"3"', '"epoch":"4"');
    expect(() => decodeCheckpoint(Buffer.from(text, 'latin1'))).toThrow(/its metadata must have SHA-256/);
  });

  const withHeader = (header: string, dataBytes = 0) => {
    const bytes = new Uint8Array(8 + header.length + dataBytes);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    return bytes;
  };
  it.each([
    [
      'a pickle',
      Buffer.from('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1'),
      /may have at most 1048576 bytes/,
    ],
    ['a header that is not JSON', withHeader('{oops'), /its header must be JSON, got "\{oops"/],
    ['a header that is no object', withHeader('[]'), /must be a JSON object/],
    [
      'another tensor type',
      withHeader('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}}', 2),
      /a dtype of F64, F32, F16, BF16, I64, I32/,
    ],
    [
      'a gap',
      withHeader('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8),
      /must lie at bytes 0 to 4/,
    ],
    ['bytes after the end', withHeader('{}', 4), /need 0 bytes.*got 4 bytes/],
    ['metadata that is not strings', withHeader('{"__metadata__":{"epoch":3}}'), /metadata must be strings/],
    ['a file of another program', withHeader('{}'), /format_version must be 1, got none/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeCheckpoint(bytes)).toThrow(CorruptCheckpointError);
    expect(() => decodeCheckpoint(bytes)).toThrow(message);
  });
});
