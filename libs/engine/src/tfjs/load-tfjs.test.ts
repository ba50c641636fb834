import tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EngineUnavailableError } from '../errors.ts';
import { startBackend, useBackend } from './load-tfjs.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('startBackend()', () => {
  // Must come first: tfjs prints, and Emscripten adds its listeners, once per process.
  it('starts both backends without printing or leaving listeners on the process', async () => {
    const printed = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name));
    const listeners = () => [
      ...process.rawListeners('uncaughtException'),
      ...process.rawListeners('unhandledRejection'),
    ];
    const before = listeners();
    for (const backend of ['wasm', 'cpu'] as const) {
      expect((await startBackend(backend)).backend).toBe(backend);
      expect([...tf.tidy(() => tf.square([3]).dataSync())]).toEqual([9]);
    }
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    expect(listeners()).toEqual(before);
  });

  it('prefers wasm', async () => {
    const { backend, device } = await startBackend();
    expect(backend).toBe('wasm');
    expect(device).toBe('WebAssembly SIMD, 1 thread');
  });

  it('falls back to cpu where wasm does not start, and says so', async () => {
    vi.spyOn(tf.engine(), 'setBackend').mockResolvedValueOnce(false);
    const { backend, reason } = await startBackend();
    expect(backend).toBe('cpu');
    expect(reason).toContain('its WebAssembly backend did not start');
  });

  it('refuses when wasm was asked for and does not start', async () => {
    vi.spyOn(tf.engine(), 'setBackend').mockResolvedValueOnce(false);
    await expect(startBackend('wasm')).rejects.toThrow(EngineUnavailableError);
  });
});

describe('useBackend()', () => {
  it('switches between started backends at once', async () => {
    await startBackend('cpu');
    await startBackend('wasm');
    for (const backend of ['cpu', 'wasm', 'cpu'] as const) {
      useBackend(backend);
      expect(tf.getBackend()).toBe(backend);
    }
  });
});
