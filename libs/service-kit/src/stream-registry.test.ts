import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RequestError } from './request-error.ts';
import { StreamRegistry } from './stream-registry.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A stream that a test ends by hand. */
function openStream(registry: StreamRegistry) {
  let end!: () => void;
  let signal!: AbortSignal;
  const ended = registry.track(({ signal: drainSignal }) => {
    signal = drainSignal;
    return new Promise((resolve) => (end = resolve));
  });
  return { end, ended, signal };
}

/** A stream that ends when its signal aborts, rejecting as an aborted generator does. */
function obedientStream(registry: StreamRegistry): Promise<void> {
  return registry.track(
    ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  );
}

/** Watches `promise` without waiting for it. */
function watch(promise: Promise<unknown>): { settled: boolean } {
  const state = { settled: false };
  void promise.then(() => (state.settled = true));
  return state;
}

describe('StreamRegistry', () => {
  it('counts the streams under way', async () => {
    const registry = new StreamRegistry();
    const [first, second] = [openStream(registry), openStream(registry)];
    expect(registry.count).toBe(2);
    first.end();
    await first.ended;
    expect(registry.count).toBe(1);
    second.end();
    await second.ended;
    expect(registry.count).toBe(0);
  });

  it('forgets a stream that failed and gives its failure to the caller', async () => {
    const registry = new StreamRegistry();
    await expect(registry.track(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(registry.count).toBe(0);
  });

  it('drains at once when nothing is under way, and leaves no timer behind', async () => {
    await new StreamRegistry().drain(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets streams end by themselves within the timeout', async () => {
    const registry = new StreamRegistry();
    const { end, ended, signal } = openStream(registry);
    const drained = registry.drain(1000);
    const state = watch(drained);
    await vi.advanceTimersByTimeAsync(999);
    expect([state.settled, signal.aborted]).toEqual([false, false]);
    end();
    await ended;
    await drained;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('aborts what is left after the timeout, saying that the service stops', async () => {
    const registry = new StreamRegistry();
    const ended = obedientStream(registry);
    const outcome = expect(ended).rejects.toEqual(new RequestError('unavailable', 'the service is stopping'));
    const drained = registry.drain(1000);
    await vi.advanceTimersByTimeAsync(1000);
    await drained;
    await outcome;
    expect(registry.count).toBe(0);
  });

  it('waits for aborted streams to clean up', async () => {
    const registry = new StreamRegistry();
    const { end, signal } = openStream(registry);
    const drained = registry.drain(0);
    const state = watch(drained);
    await vi.advanceTimersByTimeAsync(500);
    expect([state.settled, signal.aborted]).toEqual([false, true]);
    end();
    await drained;
  });

  it('gives up on a stream that does not heed its signal', async () => {
    const registry = new StreamRegistry();
    openStream(registry);
    const state = watch(registry.drain(2000));
    await vi.advanceTimersByTimeAsync(2999);
    expect(state.settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.settled).toBe(true);
  });

  it('hands an aborted signal to a stream that starts after the drain', async () => {
    const registry = new StreamRegistry();
    await registry.drain(0);
    await registry.track(({ signal }) => Promise.resolve(expect(signal.aborted).toBe(true)));
  });
});
