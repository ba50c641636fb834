import { RequestError } from './request-error.ts';

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

  /** Runs `stream` with a signal that aborts when the service has waited long enough. */
  track(stream: (drainSignal: AbortSignal) => Promise<void>): Promise<void> {
    const running = stream(this.#drain.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Waits up to `timeoutMs` for the streams under way, then aborts the rest and waits for them to end. */
  async drain(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled(this.#running), timeout]);
    clearTimeout(timer);
    this.#drain.abort(new RequestError('unavailable', 'the service is stopping'));
    await Promise.allSettled(this.#running);
  }
}
