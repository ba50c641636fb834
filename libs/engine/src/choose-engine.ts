/** `auto`: the fastest of several ways to start an engine that works here, and in one line why not the others. */
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
  /** Measured against the other contenders, which stand before all else: the faster is taken. */
  readonly isContender?: boolean;
}

/** Samples that an engine trains in a second on this machine. It is left as it was found. */
export type MeasureRate = (engine: Engine, settings: EngineSettings) => Promise<number>;

/** Two contenders: a probe of some two seconds. */
const PROBE_MS = 1000;
const PROBE_SAMPLES = 32;

/** Trains as a trainer does, a batch handed over while one is computed, for a second after a step that compiles and allocates. */
export const measureRate: MeasureRate = async (engine, { chunkShape: { depth, height, width } }) => {
  const state = await engine.exportState();
  const batch = {
    voxelsHu: new Float32Array(PROBE_SAMPLES * depth * height * width).map((_, voxel) => (voxel % 997) - 900),
    labels: new Uint8Array(PROBE_SAMPLES).map((_, sample) => sample % 2),
    count: PROBE_SAMPLES,
  };
  await engine.trainBatch(batch);
  const start = performance.now();
  let samples = PROBE_SAMPLES;
  let step = engine.trainBatch(batch);
  do {
    const next = engine.trainBatch(batch);
    await step;
    samples += PROBE_SAMPLES;
    step = next;
  } while (performance.now() - start < PROBE_MS);
  await step;
  const rate = (1000 * samples) / (performance.now() - start);
  await engine.importState(state);
  return rate;
};

/** Starts every contender; of several, keeps the fastest. Undefined where none starts; tells why each other was not taken. */
async function chooseContender(
  contenders: readonly EngineChoice[],
  { settings, measure, notTaken }: ContestOptions,
): Promise<(CreatedEngine & { readonly name: string }) | undefined> {
  const started: (CreatedEngine & { readonly name: string; readonly rate?: number })[] = [];
  for (const { name, start } of contenders) {
    try {
      started.push({ name, ...(await start(settings)) });
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      notTaken.set(name, error.rule);
    }
  }
  if (started.length < 2) return started[0];
  const rated: { readonly entry: (typeof started)[number]; readonly rate: number }[] = [];
  for (const entry of started) rated.push({ entry, rate: await measure(entry.engine, settings) });
  rated.sort((a, b) => b.rate - a.rate);
  const [winner, ...losers] = rated;
  for (const { entry, rate } of losers) {
    notTaken.set(entry.name, `${rate.toFixed(0)} samples/s against ${winner!.rate.toFixed(0)} in a probe`);
    entry.engine.dispose();
  }
  return winner!.entry;
}

interface ContestOptions {
  readonly settings: EngineSettings;
  readonly measure: MeasureRate;
  readonly notTaken: Map<string, string>;
}

/**
 * Starts the fastest of the contenders that work, or else the first of the other `choices`, the fastest first. Of each other
 * engine the reason tells why it was not taken; one that was tried and one that comes later by the same name are told of once.
 * @throws EngineUnavailableError when none starts.
 */
export async function chooseEngine(
  choices: readonly EngineChoice[],
  settings: EngineSettings,
  measure: MeasureRate = measureRate,
): Promise<CreatedEngine> {
  const notTaken = new Map<string, string>();
  const others = choices.filter(({ isContender }) => isContender !== true);
  const contenders = choices.filter(({ isContender }) => isContender === true);
  const winner = await chooseContender(contenders, { settings, measure, notTaken });
  if (winner !== undefined) return taken(winner, others, notTaken);
  for (const [index, { name, start }] of others.entries()) {
    try {
      return taken({ name, ...(await start(settings)) }, others.slice(index + 1), notTaken);
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      notTaken.set(name, error.rule);
    }
  }
  const faults = [...notTaken].map(([name, rule]) => `${name}: ${rule}`);
  throw new EngineUnavailableError('auto', `no engine starts here: ${faults.join('; ')}`);
}

/** The engine with its reason, and with those against all others. */
function taken(
  { name, engine, reason }: CreatedEngine & { readonly name: string },
  later: readonly EngineChoice[],
  notTaken: ReadonlyMap<string, string>,
): CreatedEngine {
  const against = new Map(notTaken);
  against.delete(name);
  for (const choice of later) {
    if (choice.name !== name && !against.has(choice.name)) against.set(choice.name, choice.afterOthers);
  }
  const reasons = [...against].map(([other, why]) => `not ${other}: ${why}`);
  return { engine, reason: [`auto chose ${name}: ${reason}`, ...reasons].join('; ') };
}
