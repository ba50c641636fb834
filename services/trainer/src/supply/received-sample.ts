import { VoxelInspector, type SampleVoxelType } from '@lunastream/augmentation';
import { copySampleVoxels, sampleBytes, VoxelType, type Sample } from '@lunastream/contracts';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';

/** What a received sample must be. */
export interface ExpectedSample {
  readonly shape: Shape;
  readonly voxelType: SampleVoxelType;
}

/** Made when it is first needed. */
let inspector: VoxelInspector | undefined;

/** Copies the voxels of `sample` into `target`, or returns what is wrong with the sample and leaves `target` as it was. */
export function takeSample(
  sample: Sample,
  target: Float32Array,
  expected: ExpectedSample,
): string | undefined {
  const fault = findFault(sample, expected);
  if (fault === undefined) copySampleVoxels(sample, target);
  return fault;
}

function findFault(
  { shape, voxelsHu, voxelsChecksum, voxelType }: Sample,
  expected: ExpectedSample,
): string | undefined {
  if (shape === undefined || formatShape(shape) !== formatShape(expected.shape)) {
    return `its shape must be ${formatShape(expected.shape)}, got ${shape === undefined ? 'none' : formatShape(shape)}`;
  }
  const sentAs = voxelType === VoxelType.FLOAT16 ? 'float16' : 'float32';
  if (sentAs !== expected.voxelType) return `its voxels must be ${expected.voxelType}, got ${sentAs}`;
  const sizeBytes = sampleBytes(voxelCount(expected.shape), voxelType);
  if (voxelsHu.byteLength !== sizeBytes) return `it must have ${sizeBytes} bytes, got ${voxelsHu.byteLength}`;
  inspector ??= new VoxelInspector();
  const { checksum, isFinite } = inspector.inspect(voxelsHu, sentAs);
  if (checksum !== voxelsChecksum) {
    return `its checksum must be ${hex(voxelsChecksum)}, got ${hex(checksum)}`;
  }
  // An infinite or NaN voxel would make NaN of every weight.
  return isFinite ? undefined : 'its voxels are not all finite';
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
