import { RequestError } from './request-error.ts';

/** For streams to end once their signal aborted; one that does not heed it must not keep the service from stopping. */
const ABORTED_STREAM_GRACE_MS = 1000;

/**
 * Knows the streams under way, so that a service can wait for them when it drains, and end those that do not end by
 * themselves: gRPC's own `tryShutdown` never returns while a stream is open.
 */
export class StreamRegistry {
  readonly #running = new Set<Promise<void>>();
  readonly #drain = new AbortController();

  /** Streams under way now. */
  get count(): number {
    return this.#running.size;
  }

  /** Runs `stream` with a signal that aborts when the service has waited long enough; settles as `stream` does. */
  track(stream: (drainSignal: AbortSignal) => Promise<void>): Promise<void> {
    const running = stream(this.#drain.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /**
   * Waits up to `timeoutMs` for the streams under way, then aborts the rest and waits up to a second for them to end.
   * Streams that start after this call are aborted with the rest.
   */
  async drain(timeoutMs: number): Promise<void> {
    await this.#endedWithin(timeoutMs);
    this.#drain.abort(new RequestError('unavailable', 'the service is stopping'));
    await this.#endedWithin(ABORTED_STREAM_GRACE_MS);
  }

  async #endedWithin(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled(this.#running), timeout]);
    clearTimeout(timer);
  }
}
