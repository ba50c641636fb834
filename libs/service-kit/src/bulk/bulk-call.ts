import { status } from '@grpc/grpc-js';
import { constants, type IncomingHttpHeaders } from 'node:http2';
import { CallFault } from './call-fault.ts';
import { MessageSplitter, type MessageReceiver } from './message-splitter.ts';
import { faultOfHeaders, statusIn, statusOfReset, type ResponseStatus } from './response-status.ts';

/** What becomes of a call. */
export interface BulkReceiver extends MessageReceiver {
  /** Told once, last: the status as an error, undefined for OK. Not told after `cancel`. */
  closed(error: Error | undefined): void;
}

/** A call under way. */
export interface OpenBulkCall {
  /** Ends it; its receiver hears nothing more. Repeatable. */
  cancel(): void;
}

/** What a call is made of. */
export interface BulkCallParts {
  /** Longest message that is taken. */
  readonly maxMessageBytes: number;
  /** Told once how the call ended, before its receiver. */
  readonly onEnd: (result: ResponseStatus) => void;
}

/**
 * One call. Data overtakes the headers that came before it, since those take the way through Node's HTTP/2: what is wrong
 * with data is told only when the headers do not already say that it is none of gRPC's.
 */
export class BulkCall implements OpenBulkCall {
  readonly #receiver: BulkReceiver;
  readonly #parts: BulkCallParts;
  readonly #messages: MessageSplitter;
  #closeStream: (() => void) | undefined;
  #hasHeaders = false;
  /** What was wrong with data, or with headers. */
  #fault: ResponseStatus | undefined;
  #told: ResponseStatus | undefined;
  #isEnded = false;

  constructor(receiver: BulkReceiver, parts: BulkCallParts) {
    this.#receiver = receiver;
    this.#parts = parts;
    this.#messages = new MessageSplitter(receiver, parts.maxMessageBytes);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Says how the call's stream is closed. */
  cancelWith(closeStream: () => void): void {
    this.#closeStream = closeStream;
  }

  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#messages.stop();
    this.#closeStream?.();
    this.#parts.onEnd({ code: status.CANCELLED, details: 'Cancelled on client' });
  }

  /** Ends the call. */
  fail(result: ResponseStatus): void {
    if (this.#isEnded) return;
    this.#end(result);
    this.#closeStream?.();
  }

  data(bytes: Buffer, start: number, end: number): void {
    if (this.#isEnded || this.#fault !== undefined) return;
    try {
      this.#messages.push(bytes, start, end);
    } catch (error) {
      this.#fault = faultOf(error);
      if (this.#hasHeaders) this.fail(this.#fault);
    }
  }

  headers(headers: IncomingHttpHeaders): void {
    this.#hasHeaders = true;
    // An answer without messages tells its status at once.
    this.#told ??= statusIn(headers);
    if (this.#told !== undefined) return;
    const fault = faultOfHeaders(headers) ?? this.#fault;
    if (fault !== undefined) this.fail(fault);
  }

  trailers(trailers: IncomingHttpHeaders): void {
    this.#told ??= statusIn(trailers);
  }

  /** The stream is over; `endReason` is why its connection is, too. */
  streamClosed(resetCode: number, endReason: Error | undefined): void {
    if (this.#isEnded) return;
    this.#end(this.#fault ?? this.#told ?? unsaid(resetCode, endReason));
  }

  #end(result: ResponseStatus): void {
    const isTorn = result.code === status.OK && this.#messages.isWithinMessage;
    const ended = isTorn ? { code: status.INTERNAL, details: 'the stream ended within a message' } : result;
    this.#isEnded = true;
    this.#messages.stop();
    this.#parts.onEnd(ended);
    this.#receiver.closed(ended.code === status.OK ? undefined : new CallFault(ended.code, ended.details));
  }
}

/** The status of a stream that told none. */
function unsaid(resetCode: number, endReason: Error | undefined): ResponseStatus {
  if (endReason !== undefined) {
    return { code: status.UNAVAILABLE, details: `Connection dropped: ${endReason.message}` };
  }
  if (resetCode !== constants.NGHTTP2_NO_ERROR) return statusOfReset(resetCode);
  return { code: status.UNKNOWN, details: 'the server ended the stream without a status' };
}

function faultOf(error: unknown): ResponseStatus {
  if (error instanceof CallFault) return error;
  return {
    code: status.INTERNAL,
    details: `Cannot read a message: ${error instanceof Error ? error.message : String(error)}`,
  };
}
