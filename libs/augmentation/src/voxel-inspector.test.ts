import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VoxelInspector } from './voxel-inspector.ts';

const inspector = new VoxelInspector();
const checksumOf = (bytes: Uint8Array) => inspector.inspect(bytes, 'float32').checksum;

/** The definition, word by word. */
function checksumByWords(bytes: Uint8Array): number {
  const groups = Math.ceil(bytes.length / 16);
  const padded = new Uint8Array(16 * groups);
  padded.set(bytes);
  const words = new DataView(padded.buffer);
  let sum = 0n;
  for (let index = 0; index < 4 * groups; index++) {
    const [group, place] = [Math.floor(index / 4), index % 4];
    const weight = BigInt(2 * place + 1) * (1n + 0x9e3779b2n * BigInt(groups - group));
    sum += BigInt(words.getUint32(4 * index, true)) * weight;
  }
  return Number(sum & 0xffffffffn);
}

const someBytes = fc.uint8Array({ minLength: 1, maxLength: 300 });

describe('VoxelInspector', () => {
  it('sums words as it says, whatever their number and wherever they begin', () => {
    expect(checksumOf(new Uint8Array(0))).toBe(0);
    fc.assert(
      fc.property(someBytes, fc.nat(7), (bytes, offset) => {
        const elsewhere = new Uint8Array(bytes.length + offset);
        elsewhere.set(bytes, offset);
        expect(checksumOf(elsewhere.subarray(offset))).toBe(checksumByWords(bytes));
      }),
    );
  });

  it('sees every word that differs, whatever the bits', () => {
    fc.assert(
      fc.property(someBytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, bits) => {
        const other = Uint8Array.from(bytes);
        other[at % bytes.length]! ^= bits;
        expect(checksumOf(other)).not.toBe(checksumOf(bytes));
      }),
    );
  });

  it('sees voxels that changed places, within a vector and from one to another', () => {
    const voxels = Float32Array.from({ length: 64 }, (_, index) => index * 17 - 1000);
    const before = checksumOf(new Uint8Array(voxels.buffer));
    for (const [one, other] of [
      [0, 1],
      [2, 7],
      [3, 63],
    ] as const) {
      const swapped = Float32Array.from(voxels);
      [swapped[one], swapped[other]] = [voxels[other]!, voxels[one]!];
      expect(checksumOf(new Uint8Array(swapped.buffer))).not.toBe(before);
    }
  });

  it.each([NaN, Infinity, -Infinity])('finds %s at any place, of float32 and of float16', (value) => {
    for (let index = 0; index < 19; index++) {
      const floats = new Float32Array(19).fill(-3.4e38);
      expect(inspector.inspect(new Uint8Array(floats.buffer), 'float32').isFinite).toBe(true);
      floats[index] = value;
      expect(inspector.inspect(new Uint8Array(floats.buffer), 'float32').isFinite).toBe(false);
      // -65504, the largest there is.
      const halves = new Uint16Array(19).fill(0xfbff);
      expect(inspector.inspect(new Uint8Array(halves.buffer), 'float16').isFinite).toBe(true);
      halves[index] = Number.isNaN(value) ? 0x7e00 : value > 0 ? 0x7c00 : 0xfc00;
      expect(inspector.inspect(new Uint8Array(halves.buffer), 'float16').isFinite).toBe(false);
    }
  });
});
