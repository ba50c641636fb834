/** Length, type, flags, stream, and how much the window grows (RFC 9113, section 6.9). */
const FRAME_BYTES = 13;
const HEAD_BYTES = 9;
const WINDOW_UPDATE = 8;
const PREFACE_BYTES = 24;

/** A frame that lets the server send `bytes` more on a stream, or on the whole connection with `streamId` 0. */
export function windowUpdate(streamId: number, bytes: number): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame[2] = FRAME_BYTES - HEAD_BYTES;
  frame[3] = WINDOW_UPDATE;
  frame.writeUInt32BE(streamId, 5);
  frame.writeUInt32BE(bytes, HEAD_BYTES);
  return frame;
}

/** Follows the bytes that a client sends on an HTTP/2 connection: where may a frame of somebody else come in between? */
export class FrameBoundary {
  #missingBytes = PREFACE_BYTES;
  #headBytes = HEAD_BYTES;
  #length = 0;

  /** Whether the bytes so far end with a whole frame. */
  get isHere(): boolean {
    return this.#missingBytes === 0 && this.#headBytes === 0;
  }

  /** Takes the next bytes that were sent. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#missingBytes > 0) {
        const passed = Math.min(this.#missingBytes, bytes.length - at);
        this.#missingBytes -= passed;
        at += passed;
      } else {
        // The first three bytes of a frame are its length.
        if (this.#headBytes < 3) this.#length = this.#length * 0x100 + bytes[at]!;
        at++;
        if (++this.#headBytes === HEAD_BYTES) this.#missingBytes = this.#length;
      }
      if (this.#missingBytes === 0 && this.#headBytes === HEAD_BYTES) this.#headBytes = this.#length = 0;
    }
  }
}
