import type { ServerWritableStream } from '@grpc/grpc-js';

/** Responses of a stream that wait to be written. grpc-js itself asks to wait at sixteen, which may be large ones. */
const MOST_UNSENT = 4;
/** As many are left when the next are asked for: two at a time take one turn of the event loop. */
const FEW_UNSENT = 2;

/** Writes the responses of a stream as fast as its client takes them. */
export class ResponseWriter<Response> {
  /** Aborts when nothing is to be written any more. */
  readonly signal: AbortSignal;
  readonly #call: ServerWritableStream<unknown, Response>;
  readonly #onSent: ((response: Response) => void) | undefined;
  #unsentCount = 0;
  /** Whoever waits for room: one at a time. */
  #waiting: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | undefined;

  /** @param onSent Told of each response that was written; nothing reads it any more. */
  constructor(
    call: ServerWritableStream<unknown, Response>,
    signal: AbortSignal,
    onSent?: (response: Response) => void,
  ) {
    this.signal = signal;
    this.#call = call;
    this.#onSent = onSent;
    // Once for all that is written: a listener for each response costs more than writing it.
    signal.addEventListener('abort', () => this.#waiting?.reject(signal.reason as Error), { once: true });
  }

  /**
   * Writes `response`. Returns undefined while there is room for the next, else a promise to be awaited before the next is
   * written, which rejects with the signal's reason when it aborts: a promise for each response costs time, too.
   * @throws the signal's reason when it has aborted.
   */
  write(response: Response): Promise<void> | undefined {
    this.signal.throwIfAborted();
    this.#unsentCount++;
    this.#call.write(response, (error: unknown) => {
      this.#unsentCount--;
      if (error === undefined || error === null) this.#onSent?.(response);
      if (this.#unsentCount <= FEW_UNSENT) this.#waiting?.resolve();
    });
    return this.#unsentCount < MOST_UNSENT ? undefined : this.#room();
  }

  async #room(): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => (this.#waiting = { resolve, reject }));
    } finally {
      this.#waiting = undefined;
    }
  }
}
