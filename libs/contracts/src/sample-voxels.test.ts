import { describe, expect, it } from 'vitest';
import { VoxelType } from './generated/lunastream/augment/v1/augmentation_service.ts';
import { copySampleVoxels, sampleBytes } from './sample-voxels.ts';

/** A Buffer of `bytes` that starts at an odd place of a larger one, as received ones do. */
function unaligned(bytes: Uint8Array): Buffer {
  const whole = Buffer.alloc(bytes.length + 7);
  whole.set(bytes, 3);
  return whole.subarray(3, 3 + bytes.length);
}

describe('copySampleVoxels()', () => {
  it('copies float32 from wherever it starts', () => {
    const voxels = Float32Array.of(-1000, 0.1, 3e4, -0);
    const target = new Float32Array(6);
    for (const voxelType of [VoxelType.UNSPECIFIED, VoxelType.FLOAT32]) {
      target.fill(7);
      copySampleVoxels(
        { voxelsHu: unaligned(new Uint8Array(voxels.buffer)), voxelType },
        target.subarray(1, 5),
      );
      expect(target).toEqual(Float32Array.of(7, ...voxels, 7));
    }
  });

  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0x3555, 0.333251953125],
    [0xc000, -2],
    [0x63d0, 1000],
    [0x7bff, 65504],
    [0xfbff, -65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
  ])('widens the float16 %i to %f', (bits, value) => {
    const target = new Float32Array(1);
    const voxelsHu = unaligned(Uint8Array.of(bits & 0xff, bits >> 8));
    copySampleVoxels({ voxelsHu, voxelType: VoxelType.FLOAT16 }, target);
    expect(target[0]).toBe(value);
  });

  it('widens every finite float16 to a value of its own, in order', () => {
    const finite = 0x7c00;
    const bits = Uint16Array.from({ length: finite }, (_, index) => index);
    const target = new Float32Array(finite);
    copySampleVoxels({ voxelsHu: Buffer.from(bits.buffer), voxelType: VoxelType.FLOAT16 }, target);
    expect(target.every((value, index) => index === 0 || value > target[index - 1]!)).toBe(true);
  });

  it.each([
    [VoxelType.FLOAT32, 4],
    [VoxelType.FLOAT16, 2],
  ])('refuses voxels of type %i that do not fill the target', (voxelType, voxelBytes) => {
    expect(sampleBytes(3, voxelType)).toBe(3 * voxelBytes);
    for (const length of [3 * voxelBytes - 1, 3 * voxelBytes + 1]) {
      expect(() =>
        copySampleVoxels({ voxelsHu: Buffer.alloc(length), voxelType }, new Float32Array(3)),
      ).toThrow(`Cannot read a sample: it must have ${3 * voxelBytes} bytes, got ${length}`);
    }
  });
});
