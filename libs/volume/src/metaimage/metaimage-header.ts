/**
 * What a MetaImage header means (field names and defaults: MetaIO, as ITK and VTK read it). Stricter than they are where
 * a guess would train on wrong voxels: spacing has no default, and whatever this reader would have to ignore is refused.
 */
import { voxelCount, xyzMm, type Shape, type XyzMm } from '../coordinates.ts';
import { ELEMENT_TYPES, isElementType, type Encoding } from '../element-type.ts';
import {
  directionFromTransformMatrix,
  IDENTITY_DIRECTION,
  isInvertible,
  type Matrix3,
  type VolumeGeometry,
} from '../geometry.ts';
import { MetaImageFields, quote } from './metaimage-fields.ts';
import { assertInFolder, expandPattern, FileNameFault } from '../slice-files.ts';

export interface MetaImageOptions {
  /** Spacing in mm for headers that state none. Without it such a header is refused. */
  readonly assumedSpacingXyzMm?: XyzMm;
}

/** How the data of a MetaImage are stored. */
export interface MetaImageHeader {
  readonly path: string;
  /** The header as stored, one character a byte. */
  readonly text: string;
  /** Length of the header; where the data of a LOCAL file start. */
  readonly sizeBytes: number;
  readonly geometry: VolumeGeometry;
  readonly encoding: Encoding;
  readonly isCompressed: boolean;
  /** Bytes of the compressed data; undefined means up to the end of the file. */
  readonly compressedSizeBytes: number | undefined;
  /** Bytes to skip in each data file; -1 means that the voxels are the last bytes of it. */
  readonly skippedBytes: number;
  /**
   * Data files, relative to the header's folder, which share the voxels equally; undefined when the data follow the
   * header in the same file.
   */
  readonly dataFiles: readonly string[] | undefined;
}

type Triple = [number, number, number];

const DATA_FILE = 'ElementDataFile';

function readShape(fields: MetaImageFields): Shape {
  const dimensions = fields.integer('NDims');
  if (dimensions !== 3) throw fields.fault('NDims', `must be 3, got ${dimensions ?? 'no such field'}`);
  const sizes = fields.numbers('DimSize', 3) as Triple | undefined;
  if (sizes === undefined) throw fields.fault('DimSize', 'must be given, got no such field');
  const [width, height, depth] = sizes;
  const shape = { depth, height, width };
  const isPositive = sizes.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isPositive || !Number.isSafeInteger(voxelCount(shape))) {
    throw fields.fault('DimSize', `must be three positive whole numbers, got ${quote(sizes.join(' '))}`);
  }
  return shape;
}

function readSpacing(fields: MetaImageFields, assumed: XyzMm | undefined): XyzMm {
  const spacing = fields.numbers('ElementSpacing', 3) as Triple | undefined;
  if (spacing === undefined) {
    if (assumed !== undefined) return assumed;
    throw fields.fault('ElementSpacing', 'must be given (mm between voxels), got no such field');
  }
  if (!spacing.every((distance) => distance > 0)) {
    throw fields.fault('ElementSpacing', `must be positive, got ${quote(spacing.join(' '))}`);
  }
  return xyzMm(...spacing);
}

function readDirection(fields: MetaImageFields): Matrix3 {
  const name = fields.chooseName(['TransformMatrix', 'Rotation', 'Orientation']);
  const numbers = fields.numbers(name, 9) as unknown as Matrix3 | undefined;
  if (numbers === undefined) return IDENTITY_DIRECTION;
  const direction = directionFromTransformMatrix(numbers);
  if (!isInvertible(direction)) {
    throw fields.fault(
      name,
      `must be invertible (no axis in the plane of the others), got ${numbers.join(' ')}`,
    );
  }
  return direction;
}

function readGeometry(fields: MetaImageFields, options: MetaImageOptions): VolumeGeometry {
  const offsetName = fields.chooseName(['Offset', 'Position', 'Origin']);
  const origin = (fields.numbers(offsetName, 3) as Triple | undefined) ?? [0, 0, 0];
  return {
    shape: readShape(fields),
    originXyzMm: xyzMm(...origin),
    spacingXyzMm: readSpacing(fields, options.assumedSpacingXyzMm),
    direction: readDirection(fields),
  };
}

function readEncoding(fields: MetaImageFields): Encoding {
  const elementType = fields.get('ElementType') ?? 'no such field';
  if (!isElementType(elementType)) {
    throw fields.fault(
      'ElementType',
      `must be one of ${ELEMENT_TYPES.join(', ')}, got ${quote(elementType)}`,
    );
  }
  const orderName = fields.chooseName(['BinaryDataByteOrderMSB', 'ElementByteOrderMSB']);
  return { elementType, isBigEndian: fields.boolean(orderName) ?? false };
}

/** Refuses what would change the meaning of the voxels and is not read here. */
function assertSupported(fields: MetaImageFields): void {
  const objectType = fields.get('ObjectType');
  if (objectType !== undefined && objectType !== 'Image') {
    throw fields.fault('ObjectType', `must be Image, got ${quote(objectType)}`);
  }
  if (fields.boolean('BinaryData') === false) {
    throw fields.fault('BinaryData', 'must be True (numbers written as text are not supported), got False');
  }
  const channels = fields.integer('ElementNumberOfChannels') ?? 1;
  if (channels !== 1) {
    throw fields.fault('ElementNumberOfChannels', `must be 1 (a CT has no colours), got ${channels}`);
  }
  for (const [name, neutral] of [
    ['ElementToIntensityFunctionSlope', 1],
    ['ElementToIntensityFunctionOffset', 0],
  ] as const) {
    const [number = neutral] = fields.numbers(name, 1) ?? [];
    if (number !== neutral) {
      throw fields.fault(name, `must be ${neutral} (voxels must be stored in HU), got ${number}`);
    }
  }
}

/** Number of files that share the voxels when each has `dimensions` dimensions: one slice, or the whole volume. */
function countFiles(fields: MetaImageFields, shape: Shape, dimensions: string | undefined): number {
  if (dimensions === undefined || /^2d?$/i.test(dimensions)) return shape.depth;
  if (/^3d?$/i.test(dimensions)) return 1;
  throw fields.fault(DATA_FILE, `must give each file 2 or 3 dimensions, got ${quote(dimensions)}`);
}

/** Names of a pattern as MetaIO reads it: `NAME%03d.raw [first [last [step [dimensions of a file]]]]`. */
function expandDataFiles(fields: MetaImageFields, value: string, shape: Shape): string[] {
  const [pattern = '', ...words] = value.split(/\s+/);
  const count = countFiles(fields, shape, words[3]);
  const numbers = words.slice(0, 3).map(Number);
  const [first = 1, last = first + count - 1, step = 1] = numbers;
  if (words.length > 4) throw fields.fault(DATA_FILE, `must have at most five words, got ${quote(value)}`);
  return expandPattern({ pattern, first, last, step }, count);
}

/** The lines after `LIST`, one name each. */
function listDataFiles(fields: MetaImageFields, value: string, shape: Shape): readonly string[] {
  const [, dimensions, ...more] = value.split(/\s+/);
  if (more.length > 0) throw fields.fault(DATA_FILE, `must be LIST or LIST 2, got ${quote(value)}`);
  const count = countFiles(fields, shape, dimensions);
  const names = fields.linesAfter;
  if (names.length !== count) {
    throw fields.fault(DATA_FILE, `must list ${count} files, one for each slice, got ${names.length}`);
  }
  return names;
}

function readDataFiles(
  fields: MetaImageFields,
  shape: Shape,
  isCompressed: boolean,
): readonly string[] | undefined {
  const value = fields.get(DATA_FILE) ?? '';
  if (value.toUpperCase() === 'LOCAL') return undefined;
  if (value === '') throw fields.fault(DATA_FILE, 'must name the data file, or be LOCAL, got nothing');
  const isList = /^LIST(\s|$)/i.test(value);
  const isOne = !isList && !value.includes('%');
  if (!isOne && isCompressed) {
    throw fields.fault(DATA_FILE, `must be one file when CompressedData is True, got ${quote(value)}`);
  }
  try {
    const list = isList ? listDataFiles : expandDataFiles;
    const names = isOne ? [value] : list(fields, value, shape);
    names.forEach(assertInFolder);
    return names;
  } catch (error) {
    if (error instanceof FileNameFault) throw fields.fault(DATA_FILE, error.message);
    throw error;
  }
}

function readSkippedBytes(fields: MetaImageFields, isCompressed: boolean): number {
  const skipped = fields.integer('HeaderSize') ?? 0;
  if (skipped < -1) throw fields.fault('HeaderSize', `must be -1, 0 or positive, got ${skipped}`);
  if (skipped === -1 && isCompressed) {
    throw fields.fault('HeaderSize', 'must not be -1 with CompressedData: the length of the data is unknown');
  }
  return skipped;
}

/**
 * Reads the header at the start of `bytes`; checks everything that can be checked without the data.
 * @throws BadImageError naming file, field and line.
 */
export function parseMetaImageHeader(
  bytes: Buffer,
  path: string,
  options: MetaImageOptions = {},
): MetaImageHeader {
  const fields = MetaImageFields.parse(bytes, path);
  assertSupported(fields);
  const geometry = readGeometry(fields, options);
  const encoding = readEncoding(fields);
  const isCompressed = fields.boolean('CompressedData') ?? false;
  // Writers that do not know the size leave it out or put 0.
  const compressedSizeBytes = fields.integer('CompressedDataSize') ?? 0;
  if (compressedSizeBytes < 0) {
    throw fields.fault('CompressedDataSize', `must not be negative, got ${compressedSizeBytes}`);
  }
  return {
    path,
    text: fields.text,
    sizeBytes: fields.sizeBytes,
    geometry,
    encoding,
    isCompressed,
    compressedSizeBytes: compressedSizeBytes === 0 ? undefined : compressedSizeBytes,
    skippedBytes: readSkippedBytes(fields, isCompressed),
    dataFiles: readDataFiles(fields, geometry.shape, isCompressed),
  };
}
