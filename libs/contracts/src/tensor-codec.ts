/**
 * Encoding of the two messages that carry voxels. ts-proto's own functions copy a chunk four times on its way through a
 * process and leave garbage of several times its size; these copy it once when sending, into memory that is used again,
 * not at all where it was made with headroom, and not at all when receiving. The bytes on the wire are protobuf's, and
 * everything but the voxels is still left to ts-proto.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A message with voxels inside. */
export interface WithVoxels {
  readonly voxelsHu: Buffer;
}

/** A response whose result is a message with voxels, or something else. */
export interface WithResult<Case extends string, Tensor extends WithVoxels> {
  result?:
    | { readonly $case: Case; readonly value: Tensor }
    | { readonly $case: 'error'; readonly value: object }
    | undefined;
}

/** What ts-proto generates for a message. */
interface MessageFunctions<Message> {
  encode(message: Message, writer: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array): Message;
}

/** Where in a response the voxels are. */
export interface TensorResponse<
  Case extends string,
  Tensor extends WithVoxels,
  Response extends WithResult<Case, Tensor>,
> {
  readonly response: MessageFunctions<Response>;
  readonly tensor: MessageFunctions<Tensor>;
  /** Case of the result that has voxels. */
  readonly tensorCase: Case;
  /** Number of that result's field in the response. */
  readonly tensorField: number;
  /** Number of the voxels' field in it. */
  readonly voxelsField: number;
}

/** Serialises and deserialises one kind of response, as gRPC service definitions want it. */
export interface TensorCodec<Response> {
  /** The message; good until the next one is serialised, since its memory is used again. gRPC copies it at once. */
  readonly responseSerialize: (value: Response) => Buffer;
  /**
   * The message as gRPC's frame. Around voxels with headroom it is written where they are: nothing is copied, so the frame must
   * be sent before their memory is used again. Others are copied once. Undefined for a response that has no voxels.
   */
  readonly responseFrame: (value: Response) => Buffer | undefined;
  /** Voxels are a view of `bytes`: they start wherever they start there, and live as long as it does. */
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

const NO_VOXELS = Buffer.alloc(0);
/** In front of a message: whether it is compressed, and its length as uint32, big-endian. */
const FRAME_HEAD_BYTES = 5;

/**
 * Where messages are put together. Memory for each would cost more than the copy: it comes fresh from the system, page by
 * page, and is garbage as soon as gRPC has copied it.
 */
const scratch = Buffer.allocUnsafeSlow(2 ** 20);

/** Writes fields; it keeps its memory from one message to the next. */
const encoder = new BinaryWriter();

/** Bytes to leave free in front of voxels: all other fields of their message fit into them. */
export const VOXELS_HEADROOM_BYTES = 128;

/** Voxels in front of which their message may be written. */
const withHeadroom = new WeakSet<Buffer>();

/**
 * The voxels of `buffer`, which begin after VOXELS_HEADROOM_BYTES, as a field of a message that is encoded without
 * copying them: the other fields are written in front of them. `buffer` may be used again once gRPC has taken the
 * message, which is when `responseFrame` has been sent, or `responseSerialize` returned and copied; nobody else may use its
 * headroom before.
 */
export function voxelsAfterHeadroom(buffer: ArrayBuffer): Buffer {
  const voxels = Buffer.from(buffer, VOXELS_HEADROOM_BYTES);
  withHeadroom.add(voxels);
  return voxels;
}

export function tensorCodec<
  Case extends string,
  Tensor extends WithVoxels,
  Response extends WithResult<Case, Tensor>,
>(kind: TensorResponse<Case, Tensor, Response>): TensorCodec<Response> {
  const { response, tensor, tensorCase, tensorField, voxelsField } = kind;
  const isTensor = (result: Response['result']): result is { $case: Case; value: Tensor } =>
    result?.$case === tensorCase;
  const voxelsTag = tagOf(voxelsField);
  /** All of the message but its voxels, which come last. */
  const headOf = (value: Response, carried: Tensor) => {
    const { length } = carried.voxelsHu;
    const inner = written((writer) => tensor.encode({ ...carried, voxelsHu: NO_VOXELS }, writer));
    const innerLength = inner.length + varintBytes(voxelsTag) + varintBytes(length) + length;
    return written((writer) =>
      response
        .encode({ ...value, result: undefined }, writer)
        .uint32(tagOf(tensorField))
        .uint32(innerLength)
        .raw(inner)
        .uint32(voxelsTag)
        .uint32(length),
    );
  };
  return {
    responseSerialize: (value) => {
      const { result } = value;
      if (!isTensor(result)) return Buffer.from(written((writer) => response.encode(value, writer)));
      const head = headOf(value, result.value);
      const { voxelsHu } = result.value;
      return writeInFront(head, voxelsHu, 0) ?? putTogether([head, voxelsHu]);
    },
    responseFrame: (value) => {
      const { result } = value;
      if (!isTensor(result)) return undefined;
      const head = headOf(value, result.value);
      const { voxelsHu } = result.value;
      const frame = writeInFront(head, voxelsHu, FRAME_HEAD_BYTES) ?? newFrame(head, voxelsHu);
      frame.writeUInt8(0);
      frame.writeUInt32BE(frame.length - FRAME_HEAD_BYTES, 1);
      return frame;
    },
    responseDeserialize: (bytes) => {
      const outer = cutOut(bytes, tensorField);
      if (outer.field === undefined) return response.decode(bytes);
      const inner = cutOut(outer.field, voxelsField);
      const value = { ...tensor.decode(inner.rest), voxelsHu: inner.field ?? NO_VOXELS };
      return { ...response.decode(outer.rest), result: { $case: tensorCase, value } };
    },
  };
}

/**
 * `freeBytes`, then the message of `head` and `voxels`, where the voxels are; undefined when there is no room in front of
 * them.
 */
function writeInFront(head: Uint8Array, voxels: Buffer, freeBytes: number): Buffer | undefined {
  const start = voxels.byteOffset - head.length - freeBytes;
  if (!withHeadroom.has(voxels) || start < 0) return undefined;
  const message = Buffer.from(voxels.buffer, start, freeBytes + head.length + voxels.length);
  message.set(head, freeBytes);
  return message;
}

/** The parts one behind the other, in memory that the next message uses too, where they fit into it. */
function putTogether(parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const message = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** Room for a frame's head, then the message, in memory that nothing else uses: it is read until it is sent. */
function newFrame(head: Uint8Array, voxels: Buffer): Buffer {
  const frame = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + head.length + voxels.length);
  frame.set(head, FRAME_HEAD_BYTES);
  frame.set(voxels, FRAME_HEAD_BYTES + head.length);
  return frame;
}

/** What `write` writes, in memory of its own. */
function written(write: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  try {
    return write(encoder).finish();
  } catch (error) {
    // Forgets what was written before the fault.
    encoder.finish();
    throw error;
  }
}

/** Of a length-delimited field. */
function tagOf(field: number): number {
  return field * 8 + WireType.LengthDelimited;
}

/** Bytes that a number below 2^32 takes as a varint. */
function varintBytes(value: number): number {
  return value === 0 ? 1 : Math.ceil((32 - Math.clz32(value)) / 7);
}

/** The last length-delimited field `number` of a message as a view, and a message of all the others. */
function cutOut(
  bytes: Buffer,
  number: number,
): { readonly field: Buffer | undefined; readonly rest: Buffer } {
  const reader = new BinaryReader(bytes);
  const others: Buffer[] = [];
  let field: Buffer | undefined;
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [fieldNumber, wireType] = reader.tag();
    if (fieldNumber === number && wireType === WireType.LengthDelimited) {
      const length = reader.uint32();
      // An end beyond the message is a damaged message, which `skip` would have noticed.
      if (reader.pos + length > reader.len) throw new RangeError('premature EOF');
      field = bytes.subarray(reader.pos, reader.pos + length);
      reader.pos += length;
    } else {
      reader.skip(wireType, fieldNumber);
      others.push(bytes.subarray(start, reader.pos));
    }
  }
  return { field, rest: others.length === 1 ? others[0]! : Buffer.concat(others) };
}
