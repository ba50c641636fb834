import { describe, expect, it } from 'vitest';
import { compileEngineSettings, type EngineSettings } from './engine-settings.ts';
import { InvalidEngineSettingsError } from './errors.ts';

const VALID: EngineSettings = {
  engine: 'tfjs',
  chunkShape: { depth: 32, height: 48, width: 48 },
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 7,
};

describe('compileEngineSettings()', () => {
  it('returns valid settings unchanged', () => {
    expect(compileEngineSettings(VALID, ['tfjs'])).toEqual(VALID);
    expect(compileEngineSettings({ ...VALID, engine: 'auto' }, ['tfjs']).engine).toBe('auto');
  });

  it.each([
    [{ engine: 'cuda' }, 'engine must be one of auto, simd, tfjs, got cuda'],
    [
      { chunkShape: { depth: 15, height: 48, width: 48 } },
      'chunk depth must be a whole number of at least 16',
    ],
    [{ chunkShape: { depth: 32, height: 48.5, width: 48 } }, 'chunk height must be a whole number'],
    [{ chunkShape: { depth: 32, height: 48, width: Number.NaN } }, 'chunk width must be a whole number'],
    [{ learningRate: 0 }, 'learning rate must be a finite number above 0, got 0'],
    [{ learningRate: Infinity }, 'learning rate must be a finite number above 0, got Infinity'],
    [{ momentum: 1 }, 'momentum must be in [0, 1), got 1'],
    [{ momentum: Number.NaN }, 'momentum must be in [0, 1), got NaN'],
    [{ optimizer: 'lion' as 'adam' }, 'optimizer must be one of sgd, adam, adamw, got lion'],
    [{ weightDecay: -0.1 }, 'weight decay must be a finite number of at least 0, got -0.1'],
    [{ largestGradientNorm: 0 }, 'largest gradient norm must be a finite number above 0, got 0'],
    [{ positiveWeight: 0 }, 'weight of positives must be a finite number above 0, got 0'],
    [{ focusing: Number.NaN }, 'focusing must be a finite number of at least 0, got NaN'],
    [
      { inputNormalisation: 'zscore' as 'fixed' },
      'input normalisation must be one of batch, fixed, signed-sqrt',
    ],
    [{ fineTuneDepth: 0 }, 'fine-tuning depth must be an integer in 1..6, got 0'],
    [{ fineTuneDepth: 7 }, 'fine-tuning depth must be an integer in 1..6, got 7'],
    [{ runSeed: -1 }, 'run seed must be an integer in 0..4294967295, got -1'],
    [{ runSeed: 2 ** 32 }, 'run seed must be an integer in 0..4294967295, got 4294967296'],
    [{ threads: 0 }, 'threads must be an integer in 1..256, got 0'],
    [{ threads: 1.5 }, 'threads must be an integer in 1..256, got 1.5'],
    [{ backend: 'webgl' as 'wasm' }, 'backend must be wasm or cpu, got webgl'],
    [
      { activationStorage: 'int8' as 'float16' },
      'activation storage must be one of float32, float16, got int8',
    ],
  ])('refuses %j', (change: Partial<EngineSettings>, message) => {
    expect(() => compileEngineSettings({ ...VALID, ...change }, ['simd', 'tfjs'])).toThrow(message);
  });

  it('reports all faults at once', () => {
    try {
      compileEngineSettings({ ...VALID, engine: 'x', learningRate: -1, momentum: 2 }, ['tfjs']);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidEngineSettingsError);
      expect((error as InvalidEngineSettingsError).faults).toHaveLength(3);
    }
  });
});
