import type { Engine } from './engine.ts';
import { compileEngineSettings, type EngineSettings } from './engine-settings.ts';
import { EngineUnavailableError } from './errors.ts';

/** An engine, and in one line for people why it was chosen. */
export interface CreatedEngine {
  readonly engine: Engine;
  readonly reason: string;
}

/** Starts one kind of engine. Throws EngineUnavailableError where it does not run. */
type StartEngine = (settings: EngineSettings) => Promise<CreatedEngine>;

/** Every engine by name, the fastest first: `auto` takes the first that starts. Loaded when needed. */
const ENGINES: ReadonlyMap<string, StartEngine> = new Map<string, StartEngine>([
  ['simd', async (settings) => (await import('./simd/simd-engine.ts')).SimdEngine.start(settings)],
  ['tfjs', async (settings) => (await import('./tfjs/tfjs-engine.ts')).TfjsEngine.start(settings)],
]);

/** Names that `EngineSettings.engine` may take beside `auto`, the fastest first. */
export function engineNames(): string[] {
  return [...ENGINES.keys()];
}

async function startFirstAvailable(settings: EngineSettings): Promise<CreatedEngine> {
  const refusals: EngineUnavailableError[] = [];
  for (const [name, start] of ENGINES) {
    try {
      const { engine, reason } = await start(settings);
      return { engine, reason: [`auto chose ${name}: ${reason}`, ...refusals.map(String)].join('; ') };
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      refusals.push(error);
    }
  }
  throw new EngineUnavailableError('auto', `no engine starts here: ${refusals.map(String).join('; ')}`);
}

/**
 * A fresh model, initialised from the run seed, on the engine that the settings name.
 * @throws InvalidEngineSettingsError with all faults, listing the known engines for an unknown one.
 * @throws EngineUnavailableError when the named engine, or with `auto` none, runs on this machine.
 */
export async function createEngine(settings: EngineSettings): Promise<CreatedEngine> {
  const checked = compileEngineSettings(settings, engineNames());
  const start = ENGINES.get(checked.engine);
  return start === undefined ? startFirstAvailable(checked) : start(checked);
}
