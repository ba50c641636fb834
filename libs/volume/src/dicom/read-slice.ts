/** Turns the pixels of one slice into HU. */
import { AIR_HU } from '../crop-chunk.ts';
import { toInt16 } from '../element-type.ts';
import { HOST_IS_BIG_ENDIAN } from '../host-byte-order.ts';
import { ATTRIBUTES, dicomFault } from './dicom-attributes.ts';
import { decodeFrame, FrameFault } from './decode-frame.ts';
import { parseWholeFile, toStoredValue, type PixelFormat, type SliceHeader } from './slice-header.ts';
import { codecOf, TRANSFER_SYNTAX } from './transfer-syntax.ts';

/** Samples as they are in memory, one or two bytes each in the machine's order; the sign is not looked at yet. */
type Samples = Uint8Array | Uint16Array;

function toSamples(bytes: Uint8Array, bytesPerSample: number, isBigEndian: boolean): Samples {
  if (bytesPerSample === 1) return bytes;
  // A copy: typed arrays of two bytes need an even offset.
  const copy = Uint8Array.from(bytes);
  if (isBigEndian !== HOST_IS_BIG_ENDIAN) Buffer.from(copy.buffer).swap16();
  return new Uint16Array(copy.buffer);
}

async function readEncapsulated(slice: SliceHeader): Promise<Samples> {
  const { source, rows, columns, format } = slice;
  const codec = codecOf(format.transferSyntax);
  const frame = (await parseWholeFile(source, true)).readFrame();
  if (codec === undefined || frame === undefined) {
    throw dicomFault(source.name, ATTRIBUTES.pixelData, 'must have one frame in whole fragments');
  }
  try {
    const bytes = await decodeFrame(frame, codec, { rows, columns, ...format });
    return toSamples(bytes, bytes.length / (rows * columns), false);
  } catch (error) {
    if (!(error instanceof FrameFault)) throw error;
    throw dicomFault(source.name, ATTRIBUTES.pixelData, `must be whole: ${error.message}`);
  }
}

async function readNative(slice: SliceHeader): Promise<Samples> {
  const { source, rows, columns, format, nativeOffsetBytes } = slice;
  const bytesPerSample = format.bitsAllocated / 8;
  const lengthBytes = rows * columns * bytesPerSample;
  const isBigEndian = format.transferSyntax === TRANSFER_SYNTAX.explicitBigEndian;
  if (nativeOffsetBytes !== undefined) {
    return toSamples(await source.read(nativeOffsetBytes, lengthBytes), bytesPerSample, isBigEndian);
  }
  const attributes = await parseWholeFile(source, false);
  const { offsetBytes } = attributes.pixelData;
  return toSamples(
    attributes.bytes.subarray(offsetBytes, offsetBytes + lengthBytes),
    bytesPerSample,
    isBigEndian,
  );
}

/**
 * Padding stands for no measurement and reads as air. Where slope and intercept make it less than air it stays what other
 * readers make of it.
 */
function fillHu(samples: Samples, format: PixelFormat, target: Int16Array): void {
  const { bitsStored, isSigned, padding } = format;
  const { slope, intercept } = format.rescale;
  const [lowest, highest] = padding ?? [Infinity, -Infinity];
  for (let offset = 0; offset < target.length; offset++) {
    const stored = toStoredValue(samples[offset] ?? 0, bitsStored, isSigned);
    const hu = toInt16(stored * slope + intercept);
    target[offset] = stored >= lowest && stored <= highest ? Math.min(hu, AIR_HU) : hu;
  }
}

/**
 * The HU of `slice`, row by row, rounded half to even and clamped to int16.
 * @throws BadImageError naming file and tag when the pixels are damaged or changed since the header was read.
 */
export async function readSlice(slice: SliceHeader): Promise<Int16Array> {
  const isCompressed = codecOf(slice.format.transferSyntax) !== undefined;
  const samples = await (isCompressed ? readEncapsulated : readNative)(slice);
  const voxelsHu = new Int16Array(slice.rows * slice.columns);
  fillHu(samples, slice.format, voxelsHu);
  return voxelsHu;
}
