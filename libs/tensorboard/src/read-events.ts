import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { decodeRecords } from './tf-record.ts';

/** How a value was encoded: the part of `Summary.Value` that is set. */
export type EventValue =
  | { readonly kind: 'scalar'; readonly tag: string; readonly value: number }
  | { readonly kind: 'histogram'; readonly tag: string; readonly histogram: ReadHistogram }
  | { readonly kind: 'image'; readonly tag: string; readonly image: ReadImage }
  | { readonly kind: 'tensor'; readonly tag: string; readonly tensor: ReadTensor };

export interface ReadHistogram {
  readonly min: number;
  readonly max: number;
  readonly num: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

export interface ReadImage {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
}

export interface ReadTensor {
  /** "pr_curves" for a PR curve. */
  readonly pluginName: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface ReadEvent {
  readonly wallTimeSeconds: number;
  readonly step: number;
  readonly fileVersion: string | undefined;
  /** SessionLog.SessionStatus: 1 is START. */
  readonly sessionStatus: number | undefined;
  readonly values: readonly EventValue[];
}

/** A field of a message, as it lies there. */
type RawField = number | Uint8Array;

/** Fields of a message by number, in their order. */
function readFields(bytes: Uint8Array): Map<number, RawField[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, RawField[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const known = fields.get(number) ?? [];
    fields.set(number, known);
    if (type === WireType.Varint) known.push(Number(reader.int64()));
    else if (type === WireType.Bit64) known.push(reader.double());
    else if (type === WireType.Bit32) known.push(reader.float());
    else if (type === WireType.LengthDelimited) known.push(reader.bytes());
    else reader.skip(type, number);
  }
  return fields;
}

type Fields = Map<number, RawField[]>;
const numberOf = (fields: Fields, number: number) => fields.get(number)?.[0] as number | undefined;
const bytesOf = (fields: Fields, number: number) => fields.get(number)?.[0] as Uint8Array | undefined;
const textOf = (fields: Fields, number: number) => {
  const bytes = bytesOf(fields, number);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};
const messageOf = (fields: Fields, number: number): Fields =>
  readFields(bytesOf(fields, number) ?? new Uint8Array());

function packed(fields: Fields, number: number, read: (reader: BinaryReader) => number): number[] {
  const reader = new BinaryReader(bytesOf(fields, number) ?? new Uint8Array());
  const values: number[] = [];
  while (reader.pos < reader.len) values.push(read(reader));
  return values;
}

function readHistogram(fields: Fields): ReadHistogram {
  const [min, max, num, sum, sumSquares] = [1, 2, 3, 4, 5].map((number) => numberOf(fields, number) ?? 0);
  return {
    ...{ min: min!, max: max!, num: num!, sum: sum!, sumSquares: sumSquares! },
    limits: packed(fields, 6, (reader) => reader.double()),
    counts: packed(fields, 7, (reader) => reader.double()),
  };
}

function readTensor(value: Fields): ReadTensor {
  const tensor = messageOf(value, 8);
  const dimensions = (messageOf(tensor, 2).get(2) ?? []) as Uint8Array[];
  return {
    pluginName: textOf(messageOf(messageOf(value, 9), 1), 1) ?? '',
    shape: dimensions.map((dimension) => numberOf(readFields(dimension), 1) ?? 0),
    values: packed(tensor, 5, (reader) => reader.float()),
  };
}

function readValue(fields: Fields): EventValue {
  const tag = textOf(fields, 1) ?? '';
  if (fields.has(5)) return { kind: 'histogram', tag, histogram: readHistogram(messageOf(fields, 5)) };
  if (fields.has(8)) return { kind: 'tensor', tag, tensor: readTensor(fields) };
  if (fields.has(4)) {
    const image = messageOf(fields, 4);
    const [height, width] = [numberOf(image, 1)!, numberOf(image, 2)!];
    return { kind: 'image', tag, image: { width, height, png: bytesOf(image, 4)! } };
  }
  return { kind: 'scalar', tag, value: numberOf(fields, 2) ?? 0 };
}

/**
 * What an event file holds, of the kinds that this library writes.
 * @throws CorruptEventFileError
 */
export function readEvents(file: Uint8Array): ReadEvent[] {
  return [...decodeRecords(file)].map((record) => {
    const fields = readFields(record);
    const values = (messageOf(fields, 5).get(1) ?? []) as Uint8Array[];
    return {
      wallTimeSeconds: numberOf(fields, 1) ?? 0,
      step: numberOf(fields, 2) ?? 0,
      fileVersion: textOf(fields, 3),
      sessionStatus: fields.has(7) ? numberOf(messageOf(fields, 7), 1) : undefined,
      values: values.map((value) => readValue(readFields(value))),
    };
  });
}
