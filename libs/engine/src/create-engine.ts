import { chooseEngine, type CreatedEngine, type EngineChoice } from './choose-engine.ts';
import { compileEngineSettings, type EngineSettings } from './engine-settings.ts';

export type { CreatedEngine } from './choose-engine.ts';

/** Starts one kind of engine. Throws EngineUnavailableError where it does not run. */
type StartEngine = EngineChoice['start'];

/** Every engine by name. Loaded when needed. */
const ENGINES: ReadonlyMap<string, StartEngine> = new Map<string, StartEngine>([
  ['simd', async (settings) => (await import('./simd/simd-engine.ts')).SimdEngine.start(settings)],
  [
    'tensorflow',
    async (settings) => (await import('./tfjs/tensorflow-engine.ts')).TensorflowEngine.start(settings),
  ],
  ['webgpu', async (settings) => (await import('./webgpu/webgpu-engine.ts')).WebgpuEngine.start(settings)],
  ['tfjs', async (settings) => (await import('./tfjs/tfjs-engine.ts')).TfjsEngine.start(settings)],
]);

/** For measurements, by name only: listed nowhere, and never what `auto` chooses. */
const MEASURING_ENGINES: ReadonlyMap<string, StartEngine> = new Map<string, StartEngine>([
  ['sink', async () => (await import('./sink-engine.ts')).SinkEngine.start()],
]);

/** What `auto` tries: on a GPU the faster of two, measured; else the fastest first (figures: docs/engine.md). */
const CHOICES: readonly EngineChoice[] = [
  {
    name: 'tensorflow',
    start: async (settings) =>
      (await import('./tfjs/tensorflow-engine.ts')).TensorflowEngine.startOnGpu(settings),
    afterOthers: '',
    isContender: true,
  },
  {
    name: 'webgpu',
    start: async (settings) => (await import('./webgpu/webgpu-engine.ts')).WebgpuEngine.startOnGpu(settings),
    afterOthers: '',
    isContender: true,
  },
  { name: 'simd', start: ENGINES.get('simd')!, afterOthers: 'slower than a GPU' },
  { name: 'tensorflow', start: ENGINES.get('tensorflow')!, afterOthers: 'slower than simd without a GPU' },
  { name: 'tfjs', start: ENGINES.get('tfjs')!, afterOthers: 'one thread, some 20 times slower than simd' },
];

/** Names that `EngineSettings.engine` may take beside `auto`. */
export function engineNames(): string[] {
  return [...ENGINES.keys()];
}

/**
 * A fresh model, initialised from the run seed, on the engine that the settings name.
 * @throws InvalidEngineSettingsError with all faults, listing the known engines for an unknown one.
 * @throws EngineUnavailableError when the named engine, or with `auto` none, runs on this machine.
 */
export async function createEngine(settings: EngineSettings): Promise<CreatedEngine> {
  const measuring = MEASURING_ENGINES.get(settings.engine);
  const names = measuring === undefined ? engineNames() : [...MEASURING_ENGINES.keys()];
  const checked = compileEngineSettings(settings, names);
  const start = measuring ?? ENGINES.get(checked.engine);
  return start === undefined ? chooseEngine(CHOICES, checked) : start(checked);
}
