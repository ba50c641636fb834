import { describe, expect, it } from 'vitest';
import { chooseEngine, measureRate, type EngineChoice } from './choose-engine.ts';
import type { Engine } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
import { hashState } from './model-state.ts';
import { SimdEngine } from './simd/simd-engine.ts';

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

  const contends = (choice: EngineChoice): EngineChoice => ({ ...choice, isContender: true });
  const disposable = (name: string, disposed: string[]): EngineChoice => ({
    ...contends(starts(name)),
    start: () =>
      Promise.resolve({
        engine: { name, dispose: () => void disposed.push(name) } as unknown as Engine,
        reason: `${name} is here`,
      }),
  });

  it('takes the faster of two contenders, ends the other, and tells both rates', async () => {
    const disposed: string[] = [];
    const choices = [disposable('cuda', disposed), disposable('vulkan', disposed), starts('simd')];
    const rates: Record<string, number> = { cuda: 1000, vulkan: 3000 };
    const { engine, reason } = await chooseEngine(choices, SETTINGS, ({ name }) =>
      Promise.resolve(rates[name]!),
    );
    expect(engine.name).toBe('vulkan');
    expect(disposed).toEqual(['cuda']);
    expect(reason).toBe(
      'auto chose vulkan: vulkan is here; not cuda: 1000 samples/s against 3000 in a probe; ' +
        'not simd: simd is slower',
    );
  });

  it('measures nothing where one contender starts, or none', async () => {
    const measure = () => Promise.reject(new Error('nothing to measure'));
    const one = [contends(refuses('cuda', 'no driver')), contends(starts('vulkan')), starts('simd')];
    expect((await chooseEngine(one, SETTINGS, measure)).reason).toBe(
      'auto chose vulkan: vulkan is here; not cuda: no driver; not simd: simd is slower',
    );
    const none = [
      contends(refuses('cuda', 'no driver')),
      contends(refuses('vulkan', 'no GPU')),
      starts('simd'),
    ];
    expect((await chooseEngine(none, SETTINGS, measure)).reason).toBe(
      'auto chose simd: simd is here; not cuda: no driver; not vulkan: no GPU',
    );
  });

  it('probes an engine without changing it', async () => {
    const { engine } = await SimdEngine.start({ ...SETTINGS, engine: 'simd', threads: 1 });
    const before = hashState(await engine.exportState());
    expect(await measureRate(engine, SETTINGS)).toBeGreaterThan(0);
    expect(hashState(await engine.exportState())).toBe(before);
    engine.dispose();
  });

  it('names every fault where none starts, and lets bugs through', async () => {
    await expect(chooseEngine([refuses('a', 'too old'), refuses('b', 'too new')], SETTINGS)).rejects.toThrow(
      'Cannot start engine auto: no engine starts here: a: too old; b: too new',
    );
    const broken = { ...starts('a'), start: () => Promise.reject(new TypeError('a bug')) };
    await expect(chooseEngine([broken, starts('b')], SETTINGS)).rejects.toThrow(TypeError);
  });
});
