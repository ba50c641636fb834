import { RequestError } from './request-error.ts';

/** For streams to end once their signal aborted; one that does not heed it must not keep the service from stopping. */
const ABORTED_STREAM_GRACE_MS = 1000;

/**
 * Knows the streams under way, so that a service can wait for them when it drains, and end those that do not end by
 * themselves: gRPC's own `tryShutdown` never returns while a stream is open.
 */
export class StreamRegistry {
  readonly #running = new Map<Promise<void>, AbortController>();
  #drained: RequestError | undefined;

  /** Streams under way now. */
  get count(): number {
    return this.#running.size;
  }

  /**
   * Runs `stream`, which ends when its controller aborts: here, when the service has waited long enough. Settles as
   * `stream` does. Each stream has a controller of its own: signals that follow one that lives as long as the service
   * would stay with it, a little memory for every call.
   */
  track(stream: (ending: AbortController) => Promise<void>): Promise<void> {
    const ending = new AbortController();
    if (this.#drained !== undefined) ending.abort(this.#drained);
    const running = stream(ending).finally(() => this.#running.delete(running));
    this.#running.set(running, ending);
    return running;
  }

  /**
   * Waits up to `timeoutMs` for the streams under way, then aborts the rest and waits up to a second for them to end.
   * Streams that start after this call are aborted with the rest.
   */
  async drain(timeoutMs: number): Promise<void> {
    await this.#endedWithin(timeoutMs);
    this.#drained = new RequestError('unavailable', 'the service is stopping');
    for (const ending of this.#running.values()) ending.abort(this.#drained);
    await this.#endedWithin(ABORTED_STREAM_GRACE_MS);
  }

  async #endedWithin(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled(this.#running.keys()), timeout]);
    clearTimeout(timer);
  }
}
