import { describe, expect, it } from 'vitest';
import { createEngine, engineNames } from './create-engine.ts';
import type { EngineSettings } from './engine-settings.ts';
import { EngineUnavailableError } from './errors.ts';

const SETTINGS: EngineSettings = {
  engine: 'auto',
  chunkShape: { depth: 16, height: 16, width: 16 },
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 7,
};

describe('createEngine()', () => {
  it('auto starts an engine and says why in one line', async () => {
    const { engine, reason } = await createEngine(SETTINGS);
    expect(engineNames()).toContain(engine.name);
    expect(engine.name).not.toBe('sink');
    // Machines with a GPU and its module may choose that.
    expect(reason).toMatch(
      /^auto chose (simd: WebAssembly SIMD kernels on \d+ of \d+ cores|tensorflow: |webgpu: )/,
    );
    for (const other of engineNames().filter((name) => name !== engine.name)) {
      expect(reason).toContain(`; not ${other}: `);
    }
    expect(reason).not.toContain('\n');
    engine.dispose();
  });

  it('starts every engine by name, or says what it needs', async () => {
    for (const name of engineNames()) {
      try {
        const { engine } = await createEngine({ ...SETTINGS, engine: name });
        expect(engine.name).toBe(name);
        engine.dispose();
      } catch (error) {
        expect(error).toBeInstanceOf(EngineUnavailableError);
        const needs = { tensorflow: /: @tensorflow\/.*\(npm /, webgpu: /: (webgpu is|no GPU answers \()/ };
        expect((error as Error).message).toMatch(needs[name as keyof typeof needs]);
      }
    }
  });

  it('refuses an unknown engine, listing the known ones', async () => {
    await expect(createEngine({ ...SETTINGS, engine: 'cuda' })).rejects.toThrow(
      'Cannot create an engine: engine must be one of auto, simd, tensorflow, webgpu, tfjs, got cuda',
    );
  });
});
