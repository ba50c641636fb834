import { crc32 } from 'node:zlib';
import type { SampleVoxelType } from '@lunastream/augmentation';
import { copySampleVoxels, sampleBytes, VoxelType, type Sample } from '@lunastream/contracts';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';

/** What a received sample must be. */
export interface ExpectedSample {
  readonly shape: Shape;
  readonly voxelType: SampleVoxelType;
}

/**
 * Copies the voxels of `sample` into `target`. Returns what is wrong with the sample, or undefined; a wrong one may have
 * left anything there.
 */
export function takeSample(
  sample: Sample,
  target: Float32Array,
  expected: ExpectedSample,
): string | undefined {
  const fault = findFault(sample, expected);
  if (fault !== undefined) return fault;
  copySampleVoxels(sample, target);
  return allFinite(target) ? undefined : 'its voxels are not all finite';
}

function findFault(
  { shape, voxelsHu, voxelsCrc32, voxelType }: Sample,
  expected: ExpectedSample,
): string | undefined {
  if (shape === undefined || formatShape(shape) !== formatShape(expected.shape)) {
    return `its shape must be ${formatShape(expected.shape)}, got ${shape === undefined ? 'none' : formatShape(shape)}`;
  }
  const sentAs = voxelType === VoxelType.FLOAT16 ? 'float16' : 'float32';
  if (sentAs !== expected.voxelType) return `its voxels must be ${expected.voxelType}, got ${sentAs}`;
  const sizeBytes = sampleBytes(voxelCount(expected.shape), voxelType);
  if (voxelsHu.byteLength !== sizeBytes) return `it must have ${sizeBytes} bytes, got ${voxelsHu.byteLength}`;
  const actual = crc32(voxelsHu);
  return actual === voxelsCrc32 ? undefined : `its checksum must be ${hex(voxelsCrc32)}, got ${hex(actual)}`;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

/** Whether no value is infinite or NaN: such a value times 0 is NaN, and stays NaN in a sum. */
export function allFinite(values: Float32Array): boolean {
  // Four sums, so that an addition need not wait for the one before.
  let [a, b, c, d] = [0, 0, 0, 0];
  const end = values.length - (values.length % 4);
  for (let index = 0; index < end; index += 4) {
    a += values[index]! * 0;
    b += values[index + 1]! * 0;
    c += values[index + 2]! * 0;
    d += values[index + 3]! * 0;
  }
  for (let index = end; index < values.length; index++) a += values[index]! * 0;
  return a + b + c + d === 0;
}
