/**
 * The safetensors file format (https://github.com/huggingface/safetensors#format), written in float32: 8 bytes of header
 * length (little endian), a JSON header that gives each tensor's type, shape and byte range and a map of strings under
 * `__metadata__`, then the tensors without gaps. Nothing in such a file can run code when it is read, unlike a pickle.
 */
import type { ModelTensor } from './engine.ts';
import { CorruptCheckpointError } from './errors.ts';
import { bytesOf } from './model-state.ts';

export interface SafetensorsFile {
  readonly tensors: readonly ModelTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

interface TensorEntry {
  readonly dtype: keyof typeof ELEMENT_TYPES;
  readonly shape: readonly number[];
  /** First byte and one past the last, counted from the end of the header. */
  readonly data_offsets: readonly [number, number];
}

/** Types that can be read, all into float32: PyTorch saves halves, and counters as 64-bit integers. */
const ELEMENT_TYPES = {
  F64: { sizeBytes: 8, read: (view: DataView, at: number) => view.getFloat64(at, true) },
  F32: { sizeBytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  F16: { sizeBytes: 2, read: (view: DataView, at: number) => fromHalf(view.getUint16(at, true)) },
  // The upper half of a float32.
  BF16: { sizeBytes: 2, read: (view: DataView, at: number) => fromBits(view.getUint16(at, true) << 16) },
  I64: { sizeBytes: 8, read: (view: DataView, at: number) => Number(view.getBigInt64(at, true)) },
  I32: { sizeBytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
} as const;

const bits = new DataView(new ArrayBuffer(4));
function fromBits(word: number): number {
  bits.setInt32(0, word);
  return bits.getFloat32(0);
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const LENGTH_BYTES = 8;
/** Headers end on a multiple of this, padded with spaces, so that float32 data lies aligned in a mapped file. */
const ALIGNMENT = 8;
/** Ours are near 6 kB. The limit keeps a damaged length from being believed. */
const LARGEST_HEADER_BYTES = 1 << 20;
const METADATA_KEY = '__metadata__';

/** Tensors keep their order. Names must differ from each other and from `__metadata__`. */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array<ArrayBuffer> {
  const entries: [string, TensorEntry][] = [];
  let dataBytes = 0;
  for (const { name, shape, values } of tensors) {
    const end = dataBytes + values.byteLength;
    entries.push([name, { dtype: 'F32', shape, data_offsets: [dataBytes, end] }]);
    dataBytes = end;
  }
  const json = JSON.stringify(Object.fromEntries([[METADATA_KEY, metadata], ...entries]));
  const unpadded = new TextEncoder().encode(json);
  const headerBytes = Math.ceil(unpadded.length / ALIGNMENT) * ALIGNMENT;
  const dataStart = LENGTH_BYTES + headerBytes;
  const file = new Uint8Array(dataStart + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(' '.charCodeAt(0), LENGTH_BYTES, dataStart);
  file.set(unpadded, LENGTH_BYTES);
  for (const [index, { values }] of tensors.entries()) {
    file.set(bytesOf(values), dataStart + entries[index]![1].data_offsets[0]);
  }
  return file;
}

function readHeader(file: Uint8Array): { header: object; dataStart: number } {
  if (file.length < LENGTH_BYTES) {
    throw new CorruptCheckpointError(
      'a safetensors file starts with 8 bytes of header length',
      `${file.length} bytes`,
    );
  }
  const headerBytes = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (headerBytes > LARGEST_HEADER_BYTES) {
    throw new CorruptCheckpointError(
      `its header may have at most ${LARGEST_HEADER_BYTES} bytes (is it a safetensors file?)`,
      `${headerBytes} bytes`,
    );
  }
  const dataStart = LENGTH_BYTES + Number(headerBytes);
  if (dataStart > file.length) {
    throw new CorruptCheckpointError(
      `its header needs ${dataStart} bytes (was the file cut off?)`,
      `${file.length} bytes`,
    );
  }
  const text = new TextDecoder().decode(file.subarray(LENGTH_BYTES, dataStart));
  return { header: parseHeader(text), dataStart };
}

function parseHeader(text: string): object {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw new CorruptCheckpointError('its header must be JSON', JSON.stringify(text.slice(0, 40)), { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new CorruptCheckpointError('its header must be a JSON object', text.slice(0, 40));
  }
  return header;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function toTensorEntry(name: string, value: unknown): TensorEntry {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (value ?? {}) as Partial<Record<keyof TensorEntry, unknown>>;
  if (
    typeof dtype === 'string' &&
    Object.hasOwn(ELEMENT_TYPES, dtype) &&
    Array.isArray(shape) &&
    shape.every(isCount) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every(isCount)
  ) {
    return { dtype: dtype as TensorEntry['dtype'], shape, data_offsets: [offsets[0]!, offsets[1]!] };
  }
  throw new CorruptCheckpointError(
    `tensor ${name} must have a dtype of ${Object.keys(ELEMENT_TYPES).join(', ')}, a shape and two data_offsets`,
    JSON.stringify(value),
  );
}

function toMetadata(value: unknown): Record<string, string> {
  const entries = Object.entries(value ?? {});
  const strings = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  if (strings.length < entries.length) {
    throw new CorruptCheckpointError('its metadata must be strings', JSON.stringify(value));
  }
  return Object.fromEntries(strings);
}

/** Each tensor must start where the one before it ended, and the last must end with the file. */
function assertGapless(
  entries: readonly (TensorEntry & { readonly name: string })[],
  dataBytes: number,
): void {
  let position = 0;
  for (const { name, dtype, shape, data_offsets: offsets } of entries) {
    const end = position + shape.reduce((product, side) => product * side, ELEMENT_TYPES[dtype].sizeBytes);
    if (offsets[0] !== position || offsets[1] !== end) {
      throw new CorruptCheckpointError(
        `tensor ${name} of shape [${shape.join(', ')}] must lie at bytes ${position} to ${end}`,
        `${offsets[0]} to ${offsets[1]}`,
      );
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw new CorruptCheckpointError(
      `its tensors need ${position} bytes after the header (was the file cut off?)`,
      `${dataBytes} bytes`,
    );
  }
}

/** A copy: the file's own bytes need not be aligned. */
function toFloat32(bytes: Uint8Array, dtype: TensorEntry['dtype']): Float32Array {
  // Bit by bit: reading numbers could change the bits of a NaN, and with them a checkpoint's hash.
  if (dtype === 'F32') return new Float32Array(new Uint8Array(bytes).buffer);
  const { sizeBytes, read } = ELEMENT_TYPES[dtype];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / sizeBytes }, (_, element) =>
    read(view, element * sizeBytes),
  );
}

/**
 * What a file says of itself, without its tensors.
 * @throws CorruptCheckpointError when it has no header that can be read.
 */
export function readSafetensorsMetadata(file: Uint8Array): Readonly<Record<string, string>> {
  return toMetadata((readHeader(file).header as Record<string, unknown>)[METADATA_KEY]);
}

/**
 * The tensors in the order of their data, copied, and the metadata.
 * @throws CorruptCheckpointError when the file is cut off, too long, has gaps, or holds a type that cannot be read.
 */
export function decodeSafetensors(file: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(file);
  const { [METADATA_KEY]: metadata, ...rest } = header as Record<string, unknown>;
  const entries = Object.entries(rest).map(([name, value]) => ({ name, ...toTensorEntry(name, value) }));
  entries.sort((a, b) => a.data_offsets[0] - b.data_offsets[0]);
  assertGapless(entries, file.length - dataStart);
  const tensors = entries.map(({ name, dtype, shape, data_offsets: [start, end] }): ModelTensor => {
    const bytes = file.subarray(dataStart + start, dataStart + end);
    return { name, shape, values: toFloat32(bytes, dtype) };
  });
  return { tensors, metadata: toMetadata(metadata) };
}
