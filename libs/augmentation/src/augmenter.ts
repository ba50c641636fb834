import { RandomPurpose } from '@lunastream/random';
import { formatShape, voxelCount, type Shape } from '@lunastream/volume';
import { isIdentity, toAffineMatrix, type AffineMatrix } from './affine-matrix.ts';
import { ELASTIC_SPACING_VOXELS } from './augmentation-settings.ts';
import { drawElasticGrid, type ElasticGrid } from './elastic-grid.ts';
import { ChunkShapeError, ChunkVoxelError, SampleTransformError } from './errors.ts';
import { KernelMemory } from './kernel-memory.ts';
import { createKernels, type Address, type Kernels } from './kernels.ts';
import { assertSampleTransform, type SampleTransform } from './sample-transform.ts';
import { isInPlane, locate, planeBox, toVoxelMatrix, type VoxelMatrix } from './sampling.ts';

/** What a sample is made from. */
export interface SourceChunk {
  /** HU, [depth, height, width] in C order. */
  readonly voxelsHu: Int16Array | Float32Array;
  /**
   * At least the sample's along every axis, by an even number of voxels: the sample's box is the middle of the source,
   * and the rest is the tissue that fills its corners when it is turned or moved.
   */
  readonly shape: Shape;
}

/** How the voxels of finished samples are kept; float16 is rounded to nearest, ties to even. */
export type SampleVoxelType = 'float32' | 'float16';

/** Where a sample is put. */
export interface SampleBuffer {
  /** HU, [depth, height, width] in C order: float32, or float16 as its bit patterns. */
  readonly voxels: Float32Array | Uint16Array;
  readonly shape: Shape;
  /** Whether its checksum is wanted; not unless given. */
  readonly withChecksum?: boolean;
}

export interface SampleReport {
  /** Fraction of the sample's voxels, 0..1, whose sampling position lies outside the source: repeated border. */
  readonly borderFraction: number;
  /** Checksum of the sample's bytes, as `VoxelInspector` takes it; undefined unless it was wanted. */
  readonly checksum: number | undefined;
}

export interface AugmenterOptions {
  /** Most memory that the kernels may take, in bytes; 256 MiB unless given. 32×48×48 needs about 1 MB. */
  readonly maxMemoryBytes?: number;
}

/** What is done to a source, beside the kernels' settings of intensity and noise. */
interface Change {
  readonly matrix: AffineMatrix;
  readonly elastic: ElasticGrid | undefined;
  /** Neither intensity nor noise changes a voxel. */
  readonly keepsHu: boolean;
}

const DEFAULT_MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** Beyond it float32 steps grow past 0.06 HU; nothing in a body comes near. */
const MAX_SOURCE_HU = 1e6;
const AIR_HU = -1000;
/** Kernels read up to a vector beyond the last voxel. */
const VECTOR_BYTES = 16;
const SLICE_ENTRY_BYTES = 16;
const MATRIX_BYTES = 12 * Float64Array.BYTES_PER_ELEMENT;
/** `resampleSlices` clears this many columns more than one row. */
const SPARE_COLUMNS = 5;

const paddedTo4 = (size: number) => Math.ceil(size / 4) * 4;
const paddedToVector = (sizeBytes: number) => Math.ceil(sizeBytes / VECTOR_BYTES) * VECTOR_BYTES;

/**
 * Makes samples by the WebAssembly kernels, in memory of its own that grows to what the largest chunk needs and is used
 * again for every sample. One per thread: it is synchronous and keeps nothing between samples, so equal arguments give
 * equal bytes in any order, on any thread and machine.
 */
export class Augmenter {
  readonly #memory: KernelMemory;
  readonly #kernels: Kernels;
  readonly #start: Address;

  constructor({ maxMemoryBytes = DEFAULT_MAX_MEMORY_BYTES }: AugmenterOptions = {}) {
    this.#memory = new KernelMemory(maxMemoryBytes);
    this.#kernels = createKernels(this.#memory.memory);
    this.#start = this.#kernels.memoryStart();
  }

  /** Memory that the kernels hold now, in bytes. It never shrinks. */
  get memoryBytes(): number {
    return this.#memory.sizeBytes;
  }

  /**
   * Applies a drawn transform: resamples `source`, changes intensities, adds noise (which is not clipped again, as in
   * the chapter) and fills `sample`. `source` is not changed, neither is kept. A transform that moves nothing copies the
   * middle of the source exactly; float16 rounds to nearest, ties to even, and keeps within ±65504.
   * @throws SampleTransformError, ChunkShapeError, ChunkVoxelError (a voxel that is NaN or beyond ±1e6 HU), or
   * ChunkTooLargeError; `sample` is unchanged then.
   */
  apply(source: SourceChunk, transform: SampleTransform, sample: SampleBuffer): SampleReport {
    assertSampleTransform(transform);
    assertBuffers(source, sample);
    const { huGain, huShift, noiseHu, key } = transform;
    this.#kernels.setIntensity(huGain, huShift + AIR_HU * (1 - huGain));
    this.#kernels.setNoise(noiseHu, key.runSeed, key.epoch, key.ordinal, RandomPurpose.noise);
    const elastic = transform.elasticVoxels > 0 ? drawElasticGrid(transform, sample.shape) : undefined;
    const keepsHu = huGain === 1 && huShift === 0 && noiseHu === 0;
    return this.#make(source, sample, { matrix: toAffineMatrix(transform), elastic, keepsHu });
  }

  /**
   * Resamples `source` through any affine matrix, without noise. Errors are those of `apply`; the matrix must be finite
   * and within ±1e6.
   */
  resample(source: SourceChunk, matrix: AffineMatrix, sample: SampleBuffer): SampleReport {
    const bad = matrix.find((value) => !(Math.abs(value) <= 1e6));
    if (bad !== undefined) throw new SampleTransformError('matrix', 'of numbers in ±1000000', bad);
    assertBuffers(source, sample);
    this.#kernels.setIntensity(1, 0);
    this.#kernels.setNoise(0, 0, 0, 0, 0);
    return this.#make(source, sample, { matrix, elastic: undefined, keepsHu: true });
  }

  #make(source: SourceChunk, sample: SampleBuffer, { matrix, elastic, keepsHu }: Change): SampleReport {
    if (keepsHu && elastic === undefined && isIdentity(matrix) && differsOnlyInType(source, sample))
      return this.#widen(source, sample);
    this.#memory.reset(this.#start);
    const out = this.#takeSample(sample);
    const voxelMatrix = toVoxelMatrix(matrix, sample.shape, source.shape);
    const borderVoxels =
      elastic !== undefined || !isInPlane(matrix)
        ? this.#general(source, voxelMatrix, elastic)
        : isIdentity(matrix)
          ? this.#copy(source, sample.shape)
          : this.#inPlane(source, voxelMatrix, sample.shape);
    this.#copyOut(out, sample);
    const checksum = sample.withChecksum ? this.#checksumOf(out, sample) : undefined;
    return { borderFraction: borderVoxels / sample.voxels.length, checksum };
  }

  /** Makes a sample that is its source: several times as fast as the kernels that could change it. */
  #widen(source: SourceChunk, sample: SampleBuffer): SampleReport {
    this.#memory.reset(this.#start);
    const sizeBytes = paddedToVector(sample.voxels.byteLength);
    const out = this.#memory.take(sizeBytes);
    const checksum = this.#kernels.widenInt16(this.#takeSource(source), out, out + sizeBytes) >>> 0;
    this.#copyOut(out, sample);
    return { borderFraction: 0, checksum: sample.withChecksum ? checksum : undefined };
  }

  #copyOut(out: Address, { voxels }: SampleBuffer): void {
    const { buffer } = this.#memory.memory;
    if (voxels instanceof Float32Array) voxels.set(new Float32Array(buffer, out, voxels.length));
    else voxels.set(new Uint16Array(buffer, out, voxels.length));
  }

  /** Of the sample at `out`, where it is in the caches still. */
  #checksumOf(out: Address, { voxels }: SampleBuffer): number {
    const sizeBytes = paddedToVector(voxels.byteLength);
    new Uint8Array(this.#memory.memory.buffer, out, sizeBytes).fill(0, voxels.byteLength);
    return this.#kernels.checksum(out, out + sizeBytes, voxels instanceof Uint16Array) >>> 0;
  }

  #takeSample({ voxels, shape: { depth, height, width } }: SampleBuffer): Address {
    const out = this.#memory.take(paddedToVector(voxels.byteLength));
    const working = this.#memory.take(this.#kernels.tileMemoryBytes(depth, width));
    this.#kernels.setSample(depth, height, width, out, voxels instanceof Uint16Array, working);
    return out;
  }

  /** Copies the source into kernel memory, followed by `spareBytes`. */
  #takeSource({ voxelsHu }: SourceChunk, spareBytes = VECTOR_BYTES): Address {
    const { byteLength } = voxelsHu;
    const address = this.#memory.take(byteLength + spareBytes);
    const copy = Buffer.from(this.#memory.memory.buffer, address, byteLength + VECTOR_BYTES);
    // Out of shared memory `set` goes word by word; a Buffer is filled by one memcpy, in a quarter of the time.
    copy.fill(new Uint8Array(voxelsHu.buffer, voxelsHu.byteOffset, byteLength), 0, byteLength);
    copy.fill(0, byteLength);
    if (voxelsHu instanceof Int16Array) return address;
    const largestHu = this.#kernels.largestMagnitude(address, voxelsHu.length);
    if (!(largestHu <= MAX_SOURCE_HU)) throw new ChunkVoxelError(MAX_SOURCE_HU, largestHu);
    return address;
  }

  #copy(source: SourceChunk, shape: Shape): number {
    const { depth, height, width } = source.shape;
    const { BYTES_PER_ELEMENT: voxelBytes } = source.voxelsHu;
    const slice = (depth - shape.depth) / 2;
    const row = (height - shape.height) / 2;
    const column = (width - shape.width) / 2;
    const start = this.#takeSource(source) + ((slice * height + row) * width + column) * voxelBytes;
    const copyBox =
      source.voxelsHu instanceof Int16Array ? this.#kernels.copyBoxOfInt16 : this.#kernels.copyBoxOfFloat32;
    copyBox(start, width * voxelBytes, height * width * voxelBytes);
    return 0;
  }

  #inPlane(source: SourceChunk, matrix: VoxelMatrix, shape: Shape): number {
    const { width } = source.shape;
    const { BYTES_PER_ELEMENT: voxelBytes } = source.voxelsHu;
    const box = planeBox(matrix, shape, source.shape);
    const paddedDepth = paddedTo4(shape.depth);
    const columnBytes = paddedDepth * Float32Array.BYTES_PER_ELEMENT;
    const start = this.#takeSource(source) + (box.row * width + box.column) * voxelBytes;
    const table = this.#memory.take(paddedDepth * SLICE_ENTRY_BYTES);
    const columns = this.#memory.take(((box.rows + 1) * box.columns + SPARE_COLUMNS) * columnBytes);
    const slicesInside = this.#writeSliceTable(table, matrix, shape, source);
    const resampleSlices =
      source.voxelsHu instanceof Int16Array
        ? this.#kernels.resampleSlicesOfInt16
        : this.#kernels.resampleSlicesOfFloat32;
    resampleSlices(start, width * voxelBytes, box.rows, box.columns, table, paddedDepth, columns);
    const [xx, xy, , x, yx, yy, , y] = matrix;
    const columnsInside = this.#kernels.resampleColumns(
      columns,
      box.rows,
      box.columns,
      paddedDepth,
      ...[xx, xy, x - box.column],
      ...[yx, yy, y - box.row],
    );
    return shape.depth * shape.height * shape.width - slicesInside * columnsInside;
  }

  /** Writes which source slices each slice of the sample lies between; returns how many lie inside the source. */
  #writeSliceTable(table: Address, matrix: VoxelMatrix, shape: Shape, { shape: of, voxelsHu }: SourceChunk) {
    const sliceBytes = of.height * of.width * voxelsHu.BYTES_PER_ELEMENT;
    const entries = new DataView(this.#memory.memory.buffer, table);
    let inside = 0;
    for (let slice = 0; slice < paddedTo4(shape.depth); slice++) {
      const index = Math.min(slice, shape.depth - 1);
      const position = locate(matrix[10] * index + matrix[11], of.depth);
      entries.setUint32(slice * SLICE_ENTRY_BYTES, position.low * sliceBytes, true);
      entries.setUint32(slice * SLICE_ENTRY_BYTES + 4, position.high * sliceBytes, true);
      entries.setFloat32(slice * SLICE_ENTRY_BYTES + 8, position.fraction, true);
      if (slice < shape.depth && position.isInside) inside++;
    }
    return inside;
  }

  #general(source: SourceChunk, matrix: VoxelMatrix, elastic: ElasticGrid | undefined): number {
    const { depth, height, width } = source.shape;
    const floatBytes = Float32Array.BYTES_PER_ELEMENT;
    const spareBytes = ((height + 1) * width + 2) * floatBytes + VECTOR_BYTES;
    let voxels = this.#takeSource(source, spareBytes);
    if (source.voxelsHu instanceof Int16Array) {
      const converted = this.#memory.take(source.voxelsHu.length * floatBytes + spareBytes);
      this.#kernels.convertInt16(voxels, source.voxelsHu.length, converted);
      voxels = converted;
    }
    const matrixAddress = this.#memory.take(MATRIX_BYTES);
    if (elastic === undefined) this.#kernels.clearDisplacement();
    else this.#setDisplacement(elastic);
    new Float64Array(this.#memory.memory.buffer, matrixAddress, matrix.length).set(matrix);
    return this.#kernels.resampleGeneral(voxels, depth, height, width, matrixAddress);
  }

  #setDisplacement({ controls, shape: { depth, height, width } }: ElasticGrid): void {
    const address = this.#memory.take(controls.byteLength);
    const working = this.#memory.take(this.#kernels.displacementBytes(height, width, ELASTIC_SPACING_VOXELS));
    new Float32Array(this.#memory.memory.buffer, address, controls.length).set(controls);
    this.#kernels.setDisplacement(address, depth, height, width, ELASTIC_SPACING_VOXELS, working);
  }
}

/** Whether a sample that nothing changes is its whole source, as float32 instead of int16. */
function differsOnlyInType({ voxelsHu }: SourceChunk, { voxels }: SampleBuffer): boolean {
  return (
    voxelsHu instanceof Int16Array && voxels instanceof Float32Array && voxelsHu.length === voxels.length
  );
}

function assertBuffers(source: SourceChunk, sample: SampleBuffer): void {
  assertVoxels(source.shape, source.voxelsHu.length);
  assertVoxels(sample.shape, sample.voxels.length);
  for (const axis of ['depth', 'height', 'width'] as const) {
    const margin = source.shape[axis] - sample.shape[axis];
    if (margin < 0 || margin % 2 !== 0) {
      const rule = `have the ${axis} of a sample of ${formatShape(sample.shape)} or an even number of voxels more`;
      throw new ChunkShapeError(formatShape(source.shape), rule, source.shape[axis]);
    }
  }
}

function assertVoxels(shape: Shape, voxels: number): void {
  const sizes = [shape.depth, shape.height, shape.width];
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new ChunkShapeError(formatShape(shape), 'have whole numbers of voxels, at least 1', sizes.join());
  }
  if (voxels !== voxelCount(shape)) {
    throw new ChunkShapeError(formatShape(shape), `have ${voxelCount(shape)} voxels`, voxels);
  }
}
