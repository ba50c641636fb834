import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { tensorCodec, type TensorResponse, type WithResult, type WithVoxels } from './tensor-codec.ts';

/** Takes the messages that a TensorReader reads. */
export interface TensorSink<Response> {
  /**
   * A message came but for its voxels, which are `voxelBytes` long and empty in `head`. Returns where they go, exactly as
   * long; or undefined to get the message whole.
   */
  place(head: Response, voxelBytes: number): Uint8Array | undefined;
  /** The next of the voxels that get a place: `bytes` from `start` to `end`, which hold them until this returns. */
  voxels(bytes: Buffer, start: number, end: number): void;
  /** The voxels are all where `place` wanted them. */
  placed(): void;
  /** A message that was not placed. Its voxels are a view of memory that the next message uses again. */
  message(response: Response): void;
}

/** A message that reaches to the beginning of its voxels. */
interface Head<Response> {
  readonly response: Response;
  readonly voxelsStart: number;
}

/** All fields but the voxels take half of it. */
const MOST_HEAD_BYTES = 256;

/**
 * Reads messages with voxels piece by piece, and puts the voxels where they belong without collecting the message first.
 * That is done where voxels end the message, as all of ours do. Whatever else protobuf allows is collected and then read as
 * any other message is.
 */
export class TensorReader<
  Case extends string,
  Tensor extends WithVoxels,
  Response extends WithResult<Case, Tensor>,
> {
  readonly #kind: TensorResponse<Case, Tensor, Response>;
  readonly #decode: (bytes: Buffer) => Response;
  readonly #sink: TensorSink<Response>;
  readonly #head = Buffer.alloc(MOST_HEAD_BYTES);
  #headBytes = 0;
  #sizeBytes = 0;
  /** Where the bytes go, from `#at` on; undefined while the head is read. */
  #target: Buffer | undefined;
  #at = 0;
  #isPlaced = false;
  #isDropped = false;
  /** For messages that are collected: as long as the longest of them. */
  #collected = Buffer.alloc(0);

  constructor(kind: TensorResponse<Case, Tensor, Response>, sink: TensorSink<Response>) {
    this.#kind = kind;
    this.#decode = tensorCodec(kind).responseDeserialize;
    this.#sink = sink;
  }

  /** A message of `sizeBytes` begins. */
  begin(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.#headBytes = 0;
    this.#target = undefined;
    this.#isPlaced = false;
    this.#isDropped = false;
  }

  /** Drops what is still to come of voxels that `place` wanted somewhere: nothing is written there any more. */
  drop(): void {
    this.#isDropped = true;
  }

  /** Takes the next bytes of the message: `bytes` from `start` to `end`. */
  bytes(bytes: Buffer, start: number, end: number): void {
    let at = start;
    if (this.#target === undefined) {
      at += bytes.copy(this.#head, this.#headBytes, start, end);
      this.#headBytes += at - start;
      this.#readHead();
    }
    if (this.#target === undefined || this.#isDropped || at === end) return;
    this.#take(bytes, at, end);
  }

  /** All of the message was there. @throws when it is none. */
  end(): void {
    if (this.#isPlaced) return this.#sink.placed();
    this.#sink.message(this.#decode(this.#collected.subarray(0, this.#sizeBytes)));
  }

  /** Decides where the rest of the message goes, once enough of it is there. */
  #readHead(): void {
    const head = this.#findVoxels();
    if (head === 'incomplete') return;
    if (head !== undefined) {
      const voxelBytes = this.#sizeBytes - head.voxelsStart;
      const target = this.#sink.place(head.response, voxelBytes);
      if (target !== undefined) {
        this.#isPlaced = true;
        this.#begin(Buffer.from(target.buffer, target.byteOffset, target.byteLength), head.voxelsStart);
        return;
      }
    }
    if (this.#collected.length < this.#sizeBytes) this.#collected = Buffer.allocUnsafeSlow(this.#sizeBytes);
    this.#begin(this.#collected, 0);
  }

  /** Puts what came with the head, from `start` on, at the beginning of `target`. */
  #begin(target: Buffer, start: number): void {
    this.#target = target;
    this.#at = 0;
    if (this.#headBytes > start) this.#take(this.#head, start, this.#headBytes);
  }

  /** Into shared memory `set` and `copy` go byte by byte where alignments differ; `fill` is one memcpy. */
  #take(bytes: Buffer, start: number, end: number): void {
    const from = this.#at;
    // First, while they are in the nearest cache.
    if (this.#isPlaced) this.#sink.voxels(bytes, start, end);
    this.#at += end - start;
    this.#target!.fill(bytes.subarray(start, end), from, this.#at);
  }

  /** The message up to its voxels; undefined when they do not end it; 'incomplete' while more may tell. */
  #findVoxels(): Head<Response> | 'incomplete' | undefined {
    const { response, tensor, tensorCase, tensorField, voxelsField } = this.#kind;
    const bytes = this.#head.subarray(0, this.#headBytes);
    try {
      const outer = fieldThatEnds(bytes, 0, this.#sizeBytes, tensorField);
      const inner = outer && fieldThatEnds(bytes, outer.start, this.#sizeBytes, voxelsField);
      if (outer === undefined || inner === undefined) return undefined;
      const value = tensor.decode(bytes.subarray(outer.start, inner.tagStart));
      const head = {
        ...response.decode(bytes.subarray(0, outer.tagStart)),
        result: { $case: tensorCase, value },
      };
      return { response: head, voxelsStart: inner.start };
    } catch {
      // A field was cut off, or is none. The end of the message tells which.
      return this.#headBytes < Math.min(this.#sizeBytes, MOST_HEAD_BYTES) ? 'incomplete' : undefined;
    }
  }
}

/** The field `number` that reaches to `end`, beyond what is there of the message; undefined when another one comes first. */
function fieldThatEnds(
  bytes: Buffer,
  from: number,
  end: number,
  number: number,
): { readonly tagStart: number; readonly start: number } | undefined {
  const reader = new BinaryReader(bytes);
  reader.pos = from;
  for (;;) {
    const tagStart = reader.pos;
    if (tagStart === end) return undefined;
    const [field, wireType] = reader.tag();
    if (field === number && wireType === WireType.LengthDelimited) {
      const length = reader.uint32();
      return reader.pos + length === end ? { tagStart, start: reader.pos } : undefined;
    }
    reader.skip(wireType, field);
    if (reader.pos > bytes.length) throw new RangeError('the field is cut off');
  }
}
