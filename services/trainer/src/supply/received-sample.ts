import { VoxelInspector, type InspectedVoxels, type SampleVoxelType } from '@lunastream/augmentation';
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
  inspector ??= new VoxelInspector();
  const fault =
    faultOfHead(sample, sample.voxelsHu.byteLength, expected) ??
    faultOfVoxels(sample, inspector.inspect(sample.voxelsHu, expected.voxelType));
  if (fault === undefined) copySampleVoxels(sample, target);
  return fault;
}

/** What is wrong with all of a sample but its voxels, of which there are `voxelBytes`. */
export function faultOfHead(
  { shape, voxelType }: Sample,
  voxelBytes: number,
  expected: ExpectedSample,
): string | undefined {
  if (shape === undefined || !isSameShape(shape, expected.shape)) {
    return `its shape must be ${formatShape(expected.shape)}, got ${shape === undefined ? 'none' : formatShape(shape)}`;
  }
  const sentAs = typeOf(voxelType);
  if (sentAs !== expected.voxelType) return `its voxels must be ${expected.voxelType}, got ${sentAs}`;
  const sizeBytes = sampleBytes(voxelCount(expected.shape), voxelType);
  return voxelBytes === sizeBytes ? undefined : `it must have ${sizeBytes} bytes, got ${voxelBytes}`;
}

/** What is wrong with the voxels of a sample, of which this was seen. */
export function faultOfVoxels(
  { voxelsChecksum }: Sample,
  { checksum, isFinite }: InspectedVoxels,
): string | undefined {
  if (checksum !== voxelsChecksum) {
    return `its checksum must be ${hex(voxelsChecksum)}, got ${hex(checksum)}`;
  }
  // An infinite or NaN voxel would make NaN of every weight.
  return isFinite ? undefined : 'its voxels are not all finite';
}

function typeOf(voxelType: VoxelType): SampleVoxelType {
  return voxelType === VoxelType.FLOAT16 ? 'float16' : 'float32';
}

function isSameShape(one: Shape, other: Shape): boolean {
  return one.depth === other.depth && one.height === other.height && one.width === other.width;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
