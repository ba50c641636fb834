/**
 * Scalar element types by MetaImage's names, which all formats here share, and how their bytes become int16 HU. Sizes follow MetaIO's table
 * `MET_ValueTypeSize`: MET_LONG has 4 bytes there on every platform.
 */
import { HOST_IS_BIG_ENDIAN } from './host-byte-order.ts';
import { roundHalfEven } from './round-half-even.ts';

type IntegerArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;
type ElementArray = IntegerArray | BigInt64Array | BigUint64Array | Float32Array | Float64Array;
type ElementArrayConstructor = (new (buffer: ArrayBuffer) => ElementArray) & {
  readonly BYTES_PER_ELEMENT: number;
};

const ARRAY_OF_ELEMENT_TYPE = {
  MET_CHAR: Int8Array,
  MET_ASCII_CHAR: Int8Array,
  MET_UCHAR: Uint8Array,
  MET_SHORT: Int16Array,
  MET_USHORT: Uint16Array,
  MET_INT: Int32Array,
  MET_UINT: Uint32Array,
  MET_LONG: Int32Array,
  MET_ULONG: Uint32Array,
  MET_LONG_LONG: BigInt64Array,
  MET_ULONG_LONG: BigUint64Array,
  MET_FLOAT: Float32Array,
  MET_DOUBLE: Float64Array,
} as const satisfies Record<string, ElementArrayConstructor>;

/** A scalar MetaImage element type by its name in headers. */
export type ElementType = keyof typeof ARRAY_OF_ELEMENT_TYPE;

export const ELEMENT_TYPES = Object.keys(ARRAY_OF_ELEMENT_TYPE) as readonly ElementType[];

export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(ARRAY_OF_ELEMENT_TYPE, name);
}

export function elementSizeBytes(elementType: ElementType): number {
  return ARRAY_OF_ELEMENT_TYPE[elementType].BYTES_PER_ELEMENT;
}

/** How a file stores its voxels. */
export interface Encoding {
  readonly elementType: ElementType;
  readonly isBigEndian: boolean;
  /** HU = stored * slope + intercept; without it what is stored is HU. */
  readonly rescale?: Rescale;
}

/** Makes HU of stored values. */
export interface Rescale {
  readonly slope: number;
  readonly intercept: number;
}

/** A voxel that is NaN or infinite; `offset` counts elements from the start of the decoded bytes. */
export interface NonFiniteVoxel {
  readonly offset: number;
  readonly value: number;
}

const INT16_MINIMUM = -32768;
const INT16_MAXIMUM = 32767;

function swapInPlace(bytes: ArrayBuffer, sizeBytes: number): void {
  const buffer = Buffer.from(bytes);
  if (sizeBytes === 2) buffer.swap16();
  else if (sizeBytes === 4) buffer.swap32();
  else if (sizeBytes === 8) buffer.swap64();
}

/** The nearest int16, halves to the even neighbour. `value` is finite. */
export function toInt16(value: number): number {
  return Math.min(INT16_MAXIMUM, Math.max(INT16_MINIMUM, roundHalfEven(value)));
}

/**
 * Decodes whole elements into int16 HU: rescaled, rounded half to even, clamped to int16 (chunks are clipped far inside
 * that range). `bytes` is taken over: it may be swapped in place and be the result's memory. Calls `onNonFinite` for the
 * first NaN or infinity, which must throw.
 */
export function decodeToInt16(
  bytes: ArrayBuffer,
  encoding: Encoding,
  onNonFinite: (voxel: NonFiniteVoxel) => never,
): Int16Array {
  const { elementType, rescale } = encoding;
  if (encoding.isBigEndian !== HOST_IS_BIG_ENDIAN) swapInPlace(bytes, elementSizeBytes(elementType));
  const elements: ElementArray = new ARRAY_OF_ELEMENT_TYPE[elementType](bytes);
  if (elements instanceof Int16Array && rescale === undefined) return elements;
  const { slope, intercept } = rescale ?? { slope: 1, intercept: 0 };
  const voxelsHu = new Int16Array(elements.length);
  for (let offset = 0; offset < elements.length; offset++) {
    // Above 2^53 a 64-bit integer loses low bits here, far outside what the clamp lets through.
    const value = Number(elements[offset]) * slope + intercept;
    if (!Number.isFinite(value)) onNonFinite({ offset, value });
    voxelsHu[offset] = toInt16(value);
  }
  return voxelsHu;
}
