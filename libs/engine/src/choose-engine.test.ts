import { describe, expect, it } from 'vitest';
import { chooseEngine, type EngineChoice } from './choose-engine.ts';
import type { Engine } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';

const SETTINGS = {
  ...{ engine: 'auto', chunkShape: { depth: 16, height: 16, width: 16 } },
  ...{ learningRate: 0.001, momentum: 0.99, runSeed: 7 },
};
const starts = (name: string): EngineChoice => ({
  name,
  start: () => Promise.resolve({ engine: { name } as Engine, reason: `${name} is here` }),
  afterOthers: `${name} is slower`,
});
const refuses = (name: string, rule: string): EngineChoice => ({
  ...starts(name),
  start: () => Promise.reject(new EngineUnavailableError(name, rule)),
});

describe('chooseEngine()', () => {
  it('takes the first that starts, and says of each other one why not', async () => {
    const choices = [refuses('gpu', 'no GPU'), starts('simd'), starts('gpu'), starts('tfjs')];
    const { engine, reason } = await chooseEngine(choices, SETTINGS);
    expect(engine.name).toBe('simd');
    expect(reason).toBe('auto chose simd: simd is here; not gpu: no GPU; not tfjs: tfjs is slower');
  });

  it('comes back to one that was refused in another form', async () => {
    const choices = [refuses('gpu', 'no GPU'), refuses('simd', 'no SIMD'), starts('gpu'), starts('tfjs')];
    const { engine, reason } = await chooseEngine(choices, SETTINGS);
    expect(engine.name).toBe('gpu');
    expect(reason).toBe('auto chose gpu: gpu is here; not simd: no SIMD; not tfjs: tfjs is slower');
  });

  it('names every fault where none starts, and lets bugs through', async () => {
    await expect(chooseEngine([refuses('a', 'too old'), refuses('b', 'too new')], SETTINGS)).rejects.toThrow(
      'Cannot start engine auto: no engine starts here: a: too old; b: too new',
    );
    const broken = { ...starts('a'), start: () => Promise.reject(new TypeError('a bug')) };
    await expect(chooseEngine([broken, starts('b')], SETTINGS)).rejects.toThrow(TypeError);
  });
});
