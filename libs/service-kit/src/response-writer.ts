import type { ServerWritableStream } from '@grpc/grpc-js';

/** Responses of a stream that wait to be written. grpc-js itself asks to wait at sixteen, which may be large ones. */
const MOST_UNSENT = 4;

/** Writes the responses of a stream as fast as its client takes them. */
export class ResponseWriter<Response> {
  readonly #call: ServerWritableStream<unknown, Response>;
  readonly #onSent: ((response: Response) => void) | undefined;
  #unsentCount = 0;
  #wake: () => void = () => undefined;

  /** @param onSent Told of each response that was written; nothing reads it any more. */
  constructor(call: ServerWritableStream<unknown, Response>, onSent?: (response: Response) => void) {
    this.#call = call;
    this.#onSent = onSent;
  }

  /** Writes `response` and resolves when there is room for the next. Rejects with the signal's reason when it aborts. */
  async write(response: Response, signal: AbortSignal): Promise<void> {
    this.#unsentCount++;
    this.#call.write(response, (error: unknown) => {
      this.#unsentCount--;
      if (error === undefined || error === null) this.#onSent?.(response);
      this.#wake();
    });
    if (this.#unsentCount >= MOST_UNSENT) await this.#room(signal);
  }

  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason as Error);
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#wake = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
    });
  }
}
