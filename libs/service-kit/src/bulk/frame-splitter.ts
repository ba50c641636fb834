/** What a FrameSplitter makes of the bytes that it is given. */
export interface FrameSink {
  /** A DATA frame begins: `sizeBytes` of it, padding included, count against the windows of its stream and connection. */
  beginData(streamId: number, sizeBytes: number): void;
  /** Payload of a DATA frame, whole or in part: `bytes` from `start` to `end`, which hold it until this returns. */
  data(streamId: number, bytes: Buffer, start: number, end: number): void;
  /** Bytes of all other frames, in order; those of a frame may come in several pieces. They are the receiver's. */
  other(bytes: Buffer): void;
}

/** A server broke the rules of HTTP/2: nothing more that it sends on this connection means anything. */
export class FrameError extends Error {
  readonly tag = 'FrameError';
}

/** RFC 9113, section 4.1: length (24 bits), type, flags, stream (31 bits). */
const HEAD_BYTES = 9;
const DATA = 0;
const END_STREAM = 0x1;
const PADDED = 0x8;
/** What servers may send to a client that asked for nothing else (section 6.5.2, SETTINGS_MAX_FRAME_SIZE). */
const LARGEST_DATA_BYTES = 2 ** 14;

/**
 * Takes the DATA frames out of what a server sends on an HTTP/2 connection, wherever its bytes are cut. A DATA frame that
 * ends its stream leaves an empty one behind, so that whoever reads the other frames sees that end.
 */
export class FrameSplitter {
  readonly #sink: FrameSink;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #isData = false;
  #streamId = 0;
  /** Bytes of the frame that are still to come: the length of its padding, its payload, its padding. */
  #hasPadLength = false;
  #payloadBytes = 0;
  #paddingBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /**
   * Takes the next `length` bytes of the connection, the first of `bytes`.
   * @throws FrameError
   */
  push(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      if (this.#headBytes < HEAD_BYTES) at = this.#readHead(bytes, at, length);
      else if (this.#hasPadLength) this.#readPadLength(bytes[at++]!);
      else if (this.#payloadBytes > 0) at = this.#readPayload(bytes, at, length);
      else {
        const skipped = Math.min(this.#paddingBytes, length - at);
        this.#paddingBytes -= skipped;
        at += skipped;
      }
      if (this.#headBytes === HEAD_BYTES && this.#isAtEnd()) this.#headBytes = 0;
    }
  }

  #isAtEnd(): boolean {
    return this.#payloadBytes === 0 && this.#paddingBytes === 0 && !this.#hasPadLength;
  }

  #readHead(bytes: Buffer, at: number, length: number): number {
    const taken = Math.min(HEAD_BYTES - this.#headBytes, length - at);
    // So few bytes are copied sooner than `copy` is called.
    for (let index = 0; index < taken; index++) this.#head[this.#headBytes + index] = bytes[at + index]!;
    this.#headBytes += taken;
    if (this.#headBytes === HEAD_BYTES) this.#beginFrame();
    return at + taken;
  }

  #beginFrame(): void {
    const head = this.#head;
    const flags = head[4]!;
    this.#payloadBytes = head.readUIntBE(0, 3);
    this.#streamId = head.readUInt32BE(5) & 0x7fff_ffff;
    this.#isData = head[3] === DATA;
    this.#hasPadLength = false;
    if (!this.#isData) return this.#sink.other(Buffer.from(head));
    if (this.#payloadBytes > LARGEST_DATA_BYTES) {
      throw new FrameError(
        `Cannot read HTTP/2: a DATA frame must have at most ${LARGEST_DATA_BYTES} bytes, got ${this.#payloadBytes}`,
      );
    }
    if (this.#streamId === 0) {
      throw new FrameError('Cannot read HTTP/2: a DATA frame must be of a stream, got one of the connection');
    }
    this.#hasPadLength = (flags & PADDED) !== 0;
    this.#sink.beginData(this.#streamId, this.#payloadBytes);
    if ((flags & END_STREAM) === 0) return;
    const empty = Buffer.from(head).fill(0, 0, 3);
    empty[4] = END_STREAM;
    this.#sink.other(empty);
  }

  #readPadLength(padLength: number): void {
    this.#hasPadLength = false;
    this.#payloadBytes -= 1 + padLength;
    this.#paddingBytes = padLength;
    if (this.#payloadBytes < 0) {
      throw new FrameError('Cannot read HTTP/2: a frame must be longer than its padding, got a shorter one');
    }
  }

  #readPayload(bytes: Buffer, at: number, length: number): number {
    const end = Math.min(at + this.#payloadBytes, length);
    this.#payloadBytes -= end - at;
    if (this.#isData) this.#sink.data(this.#streamId, bytes, at, end);
    else this.#sink.other(Buffer.from(bytes.subarray(at, end)));
    return end;
  }
}
