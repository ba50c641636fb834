/** `auto`: the first of several ways to start an engine that works here, and in one line why not the others. */
import type { Engine } from './engine.ts';
import type { EngineSettings } from './engine-settings.ts';
import { EngineUnavailableError } from './errors.ts';

/** An engine, and in one line for people why it was chosen. */
export interface CreatedEngine {
  readonly engine: Engine;
  readonly reason: string;
}

/** A way to start an engine. */
export interface EngineChoice {
  readonly name: string;
  /** Throws EngineUnavailableError where it does not run. */
  readonly start: (settings: EngineSettings) => Promise<CreatedEngine>;
  /** Why it is not taken where one before it starts. */
  readonly afterOthers: string;
}

/**
 * Starts the first of `choices`, the fastest first, that works. Of each other engine the reason tells why it was not taken;
 * one that was tried and one that comes later by the same name are told of once.
 * @throws EngineUnavailableError when none starts.
 */
export async function chooseEngine(
  choices: readonly EngineChoice[],
  settings: EngineSettings,
): Promise<CreatedEngine> {
  const notTaken = new Map<string, string>();
  for (const [index, { name, start }] of choices.entries()) {
    try {
      const { engine, reason } = await start(settings);
      notTaken.delete(name);
      for (const later of choices.slice(index + 1)) {
        if (later.name !== name && !notTaken.has(later.name)) notTaken.set(later.name, later.afterOthers);
      }
      const others = [...notTaken].map(([other, why]) => `not ${other}: ${why}`);
      return { engine, reason: [`auto chose ${name}: ${reason}`, ...others].join('; ') };
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      notTaken.set(name, error.rule);
    }
  }
  const faults = [...notTaken].map(([name, rule]) => `${name}: ${rule}`);
  throw new EngineUnavailableError('auto', `no engine starts here: ${faults.join('; ')}`);
}
