/** What one file of a CT series says of its slice, checked: PS3.3 of the DICOM standard, C.7.6.2, C.7.6.3 and C.8.2.1. */
import type { Rescale } from '../element-type.ts';
import type { Vector } from '../oriented-axes.ts';
import { readStart, type ByteSource } from '../sources/byte-source.ts';
import { BadImageError } from '../errors.ts';
import { ATTRIBUTES, DicomAttributes, dicomFault } from './dicom-attributes.ts';
import { isCompressedSyntax, isNativeSyntax, TRANSFER_SYNTAX } from './transfer-syntax.ts';

/** How a slice's pixels are stored and what they mean. */
export interface PixelFormat {
  readonly transferSyntax: string;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly isSigned: boolean;
  readonly rescale: Rescale;
  /** Stored values, low to high, that stand for no measurement. */
  readonly padding: readonly [low: number, high: number] | undefined;
}

export interface SliceHeader {
  readonly source: ByteSource;
  /** Tells series apart; never shown. */
  readonly seriesUid: string;
  readonly rows: number;
  readonly columns: number;
  /** Centre of the first pixel, in mm. */
  readonly position: Vector;
  /** Unit vector along a row: the direction in which columns are counted. */
  readonly rowDirection: Vector;
  /** Unit vector along a column: the direction in which rows are counted. */
  readonly columnDirection: Vector;
  /** Distance of rows and of columns in mm. */
  readonly pixelSpacing: readonly [rows: number, columns: number];
  readonly format: PixelFormat;
  /** Where native pixels lie in the file; undefined where they must be unpacked from the whole file. */
  readonly nativeOffsetBytes: number | undefined;
}

// Headers of CT slices have 1 to 20 kB; one with more before its pixels is read whole.
const HEADER_BYTES = 65_536;
const LARGEST_SLICE_FILE_BYTES = 2 ** 29;
const PREAMBLE_BYTES = 132;
const DICOMDIR_CLASS = '1.2.840.10008.1.3.10';
// Smaller than any tilt that is set on purpose.
const NO_TILT_DEGREES = 0.05;
const LARGEST_DIRECTION_ERROR = 1e-3;

/** True when a file starts as DICOM files do. */
export async function isDicomFile(source: ByteSource): Promise<boolean> {
  const start = Buffer.from(await readStart(source, PREAMBLE_BYTES));
  return start.length === PREAMBLE_BYTES && start.toString('latin1', 128) === 'DICM';
}

function assertCtSlice(attributes: DicomAttributes): void {
  const { modality, samplesPerPixel, photometric, frames, gantryTilt, modalityTable } = ATTRIBUTES;
  if (attributes.code(modality) !== 'CT') {
    throw attributes.fault(modality, `must be CT, got ${attributes.showCode(modality)}`);
  }
  const samples = attributes.needUint16(samplesPerPixel);
  if (samples !== 1)
    throw attributes.fault(samplesPerPixel, `must be 1 (a CT has no colours), got ${samples}`);
  if (attributes.code(photometric) !== 'MONOCHROME2') {
    const got = attributes.showCode(photometric);
    throw attributes.fault(photometric, `must be MONOCHROME2 (a CT has no colours), got ${got}`);
  }
  const [frameCount = 1] = attributes.decimals(frames, 1) ?? [];
  if (frameCount !== 1)
    throw attributes.fault(frames, `must be 1 (a file for each slice), got ${frameCount}`);
  const [tilt = 0] = attributes.decimals(gantryTilt, 1) ?? [];
  if (Math.abs(tilt) > NO_TILT_DEGREES) {
    throw attributes.fault(
      gantryTilt,
      `must be 0 (slices of a tilted gantry are sheared), got ${tilt} degrees`,
    );
  }
  if (attributes.has(modalityTable)) {
    throw attributes.fault(modalityTable, 'must not be given: HU must follow from slope and intercept');
  }
}

function readRescale(attributes: DicomAttributes): Rescale {
  const [slope = 1] = attributes.needDecimals(ATTRIBUTES.slope, 1);
  const [intercept = 0] = attributes.needDecimals(ATTRIBUTES.intercept, 1);
  if (slope === 0) throw attributes.fault(ATTRIBUTES.slope, 'must not be 0');
  const type = attributes.code(ATTRIBUTES.rescaleType);
  if (type !== undefined && type !== 'HU') {
    throw attributes.fault(
      ATTRIBUTES.rescaleType,
      `must be HU, got ${attributes.showCode(ATTRIBUTES.rescaleType)}`,
    );
  }
  return { slope, intercept };
}

/** A stored value of `bitsStored` bits with whatever stands above them taken off. */
export function toStoredValue(raw: number, bitsStored: number, isSigned: boolean): number {
  const unused = 32 - bitsStored;
  return isSigned ? (raw << unused) >> unused : (raw << unused) >>> unused;
}

function readFormat(attributes: DicomAttributes): PixelFormat {
  const bitsAllocated = attributes.needUint16(ATTRIBUTES.bitsAllocated);
  if (bitsAllocated !== 8 && bitsAllocated !== 16) {
    throw attributes.fault(ATTRIBUTES.bitsAllocated, `must be 8 or 16, got ${bitsAllocated}`);
  }
  const bitsStored = attributes.needUint16(ATTRIBUTES.bitsStored);
  if (bitsStored < 1 || bitsStored > bitsAllocated) {
    throw attributes.fault(ATTRIBUTES.bitsStored, `must be 1 to ${bitsAllocated}, got ${bitsStored}`);
  }
  const highBit = attributes.needUint16(ATTRIBUTES.highBit);
  if (highBit !== bitsStored - 1) {
    throw attributes.fault(
      ATTRIBUTES.highBit,
      `must be ${bitsStored - 1}, one less than BitsStored, got ${highBit}`,
    );
  }
  const representation = attributes.needUint16(ATTRIBUTES.pixelRepresentation);
  if (representation > 1) {
    throw attributes.fault(ATTRIBUTES.pixelRepresentation, `must be 0 or 1, got ${representation}`);
  }
  const transferSyntax = attributes.code(ATTRIBUTES.transferSyntax) ?? '';
  if (!isNativeSyntax(transferSyntax) && !isCompressedSyntax(transferSyntax)) {
    const got = attributes.showCode(ATTRIBUTES.transferSyntax);
    throw attributes.fault(ATTRIBUTES.transferSyntax, `must be one that is read here, got ${got}`);
  }
  const isSigned = representation === 1;
  const bounds = [attributes.uint16(ATTRIBUTES.padding), attributes.uint16(ATTRIBUTES.paddingLimit)]
    .filter((value) => value !== undefined)
    .map((value) => toStoredValue(value, bitsStored, isSigned));
  return {
    transferSyntax,
    bitsAllocated,
    bitsStored,
    isSigned,
    rescale: readRescale(attributes),
    // The limit lies below or above the value; without a value it means nothing.
    padding:
      attributes.uint16(ATTRIBUTES.padding) === undefined
        ? undefined
        : [Math.min(...bounds), Math.max(...bounds)],
  };
}

function readPlace(
  attributes: DicomAttributes,
): Pick<SliceHeader, 'position' | 'rowDirection' | 'columnDirection' | 'pixelSpacing'> {
  const position = attributes.needDecimals(ATTRIBUTES.position, 3) as unknown as Vector;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = attributes.needDecimals(ATTRIBUTES.orientation, 6);
  const isUnit = [Math.hypot(a, b, c), Math.hypot(d, e, f)].every(
    (length) => Math.abs(length - 1) <= LARGEST_DIRECTION_ERROR,
  );
  if (!isUnit || Math.abs(a * d + b * e + c * f) > LARGEST_DIRECTION_ERROR) {
    throw attributes.fault(ATTRIBUTES.orientation, 'must be two perpendicular unit vectors');
  }
  const [betweenRows = 0, betweenColumns = 0] = attributes.needDecimals(ATTRIBUTES.pixelSpacing, 2);
  if (!(betweenRows > 0 && betweenColumns > 0)) {
    throw attributes.fault(
      ATTRIBUTES.pixelSpacing,
      `must be positive, got ${betweenRows} and ${betweenColumns}`,
    );
  }
  return {
    position,
    rowDirection: [a, b, c],
    columnDirection: [d, e, f],
    pixelSpacing: [betweenRows, betweenColumns],
  };
}

function readExtent(attributes: DicomAttributes): { readonly rows: number; readonly columns: number } {
  const rows = attributes.needUint16(ATTRIBUTES.rows);
  const columns = attributes.needUint16(ATTRIBUTES.columns);
  if (rows === 0) throw attributes.fault(ATTRIBUTES.rows, 'must be positive, got 0');
  if (columns === 0) throw attributes.fault(ATTRIBUTES.columns, 'must be positive, got 0');
  return { rows, columns };
}

/** Checks the length of the pixel data against rows and columns, and finds them where they can be read in place. */
function placePixels(
  attributes: DicomAttributes,
  source: ByteSource,
  format: PixelFormat,
  pixelCount: number,
): number | undefined {
  const { offsetBytes, lengthBytes, isEncapsulated } = attributes.pixelData;
  const { pixelData, transferSyntax } = ATTRIBUTES;
  const isNative = isNativeSyntax(format.transferSyntax);
  if (isEncapsulated === isNative) {
    throw attributes.fault(
      pixelData,
      `must be ${isNative ? 'plain' : 'in fragments'} as ${transferSyntax.name} says`,
    );
  }
  if (!isNative) return undefined;
  const needed = (pixelCount * format.bitsAllocated) / 8;
  // An odd length is padded to an even one.
  if (lengthBytes !== needed && lengthBytes !== needed + (needed % 2)) {
    const rule = `must have ${needed} bytes (Rows x Columns x BitsAllocated), got ${lengthBytes}`;
    throw attributes.fault(pixelData, rule);
  }
  const available = (isDeflated(format) ? attributes.bytes.length : source.sizeBytes) - offsetBytes;
  if (available < needed) {
    const rule = `must have ${needed} bytes, got ${Math.max(0, available)}: the file is truncated`;
    throw attributes.fault(pixelData, rule);
  }
  return isDeflated(format) ? undefined : offsetBytes;
}

function isDeflated(format: PixelFormat): boolean {
  return format.transferSyntax === TRANSFER_SYNTAX.deflated;
}

/** All of a slice's file parsed. @throws BadImageError when it is no whole DICOM file. */
export async function parseWholeFile(source: ByteSource, withPixels: boolean): Promise<DicomAttributes> {
  if (source.sizeBytes > LARGEST_SLICE_FILE_BYTES) {
    const rule = `a slice must have at most ${LARGEST_SLICE_FILE_BYTES} bytes, got ${source.sizeBytes}`;
    throw new BadImageError(rule, { path: source.name });
  }
  const bytes = await source.read(0, source.sizeBytes);
  const attributes = DicomAttributes.parse(bytes, source.name, { withPixels });
  if (attributes === undefined) {
    throw new BadImageError('it must be a whole DICOM file, it is damaged or truncated', {
      path: source.name,
    });
  }
  return attributes;
}

/**
 * Reads the header of a slice; undefined for the DICOMDIR that lies beside slices on disks.
 * @throws BadImageError naming file and tag of what is no plain CT slice.
 */
export async function readSliceHeader(source: ByteSource): Promise<SliceHeader | undefined> {
  const start = await readStart(source, HEADER_BYTES);
  const early = DicomAttributes.parse(start, source.name);
  const isWhole = early?.has(ATTRIBUTES.pixelData) === true && early.bytes === start;
  const attributes = early !== undefined && isWhole ? early : await parseWholeFile(source, false);
  if (attributes.code(ATTRIBUTES.mediaStorageClass) === DICOMDIR_CLASS) return undefined;
  assertCtSlice(attributes);
  const format = readFormat(attributes);
  const { rows, columns } = readExtent(attributes);
  const seriesUid = attributes.code(ATTRIBUTES.seriesUid);
  if (seriesUid === undefined) throw dicomFault(source.name, ATTRIBUTES.seriesUid, 'must be given');
  return {
    source,
    seriesUid,
    rows,
    columns,
    ...readPlace(attributes),
    format,
    nativeOffsetBytes: placePixels(attributes, source, format, rows * columns),
  };
}
