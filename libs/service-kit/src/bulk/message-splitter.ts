import { status } from '@grpc/grpc-js';
import { CallFault } from './call-fault.ts';

/** Takes the messages of a call, piece by piece, as they come. What it throws ends the call. */
export interface MessageReceiver {
  /** A message of `sizeBytes` begins. */
  begin(sizeBytes: number): void;
  /** Its next bytes: `bytes` from `start` to `end`, which hold them until this returns. */
  bytes(bytes: Buffer, start: number, end: number): void;
  /** All of it was there. */
  end(): void;
}

/** gRPC puts a byte, whether the message is compressed, and its length in front of each. */
const PREFIX_BYTES = 5;

/** Cuts the bytes of a call into its messages, wherever they are cut themselves. */
export class MessageSplitter {
  readonly #receiver: MessageReceiver;
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Bytes of the message that are still to come. */
  #missingBytes = 0;
  #isStopped = false;

  /** @param maxBytes Longest message that is taken. */
  constructor(receiver: MessageReceiver, maxBytes: number) {
    this.#receiver = receiver;
    this.#maxBytes = maxBytes;
  }

  /** Whether a message has begun and is not all there. */
  get isWithinMessage(): boolean {
    return this.#prefixBytes > 0;
  }

  /** The receiver gets nothing more, not even of the bytes that it is being given. */
  stop(): void {
    this.#isStopped = true;
  }

  /** @throws CallFault for a message that is too long or compressed, and what the receiver throws. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#isStopped) {
      if (this.#prefixBytes < PREFIX_BYTES) {
        this.#prefix[this.#prefixBytes++] = bytes[at++]!;
        if (this.#prefixBytes < PREFIX_BYTES) continue;
        this.#begin();
      } else {
        const taken = Math.min(this.#missingBytes, end - at);
        this.#missingBytes -= taken;
        this.#receiver.bytes(bytes, at, at + taken);
        at += taken;
      }
      if (this.#missingBytes > 0 || this.#isStopped) continue;
      this.#prefixBytes = 0;
      this.#receiver.end();
    }
  }

  #begin(): void {
    if (this.#prefix[0] !== 0) {
      throw new CallFault(
        status.INTERNAL,
        `Cannot read a message: it must not be compressed, got the mark ${this.#prefix[0]}`,
      );
    }
    const sizeBytes = this.#prefix.readUInt32BE(1);
    if (sizeBytes > this.#maxBytes) {
      throw new CallFault(
        status.RESOURCE_EXHAUSTED,
        `Cannot read a message: it must have at most ${this.#maxBytes} bytes, got ${sizeBytes}`,
      );
    }
    this.#missingBytes = sizeBytes;
    this.#receiver.begin(sizeBytes);
  }
}
