import { availableParallelism } from 'node:os';
import { Command, CommanderError } from 'commander';
import type { InitialWeights } from '@lunastream/contracts';
import { CommandError } from '../errors.ts';
import { addTrainOptions, toRunSettings, type TrainOptions } from '../train-options.ts';
import type { Variant } from './series.ts';
import type { SeriesRecord, SeriesRun } from './series-record.ts';

/** What a series is made from. */
export interface SeriesPlan {
  /** Name of the series: the first folder level of its runs. */
  readonly name: string;
  readonly variants: readonly Variant[];
  /** Settings that all runs share, where a variant does not say otherwise. */
  readonly base: TrainOptions;
  /** Seeds of each variant: `base.seed` and those after it. */
  readonly seeds: number;
  readonly dataset: string;
  /** What all runs start from; undefined draws weights by the seed. */
  readonly initialWeights?: InitialWeights | undefined;
}

/** The flags of `train` that `args` give or imply, without defaults. @throws CommandError for what `train` would refuse. */
export function parseTrainFlags(args: readonly string[], what: string): Partial<TrainOptions> {
  let fault = '';
  const command = addTrainOptions(new Command('train'))
    .exitOverride()
    .configureOutput({ writeErr: (text) => (fault += text) });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new CommandError(`Cannot plan ${what}: ${fault.replace(/^error: /, '').trim()}`, undefined, {
      cause: error,
    });
  }
  const values = command.opts<Record<string, unknown>>();
  // A flag may imply another.
  const isGiven = (name: string) => ['cli', 'implied'].includes(command.getOptionValueSource(name) ?? '');
  const given = Object.entries(values).filter(([name]) => isGiven(name));
  return Object.fromEntries(given);
}

/** Every run of a series: all variants of the first seed, then of the next, so that a first answer comes early. */
export function planSeries({
  name,
  variants,
  base,
  seeds,
  dataset,
  initialWeights,
}: SeriesPlan): SeriesRecord {
  const doubled = variants.find(
    (variant, index) => variants.findIndex((other) => other.name === variant.name) < index,
  );
  if (doubled !== undefined)
    throw new CommandError(`Cannot plan ${name}: variant ${doubled.name} is there twice`);
  const runs: SeriesRun[] = [];
  for (let seed = base.seed; seed < base.seed + seeds; seed++) {
    for (const variant of variants) {
      const flags = parseTrainFlags(variant.flags, `variant ${variant.name}`);
      if (flags.weights !== undefined || flags.newHead !== undefined) {
        throw new CommandError(`Cannot plan ${name}: --weights and --new-head must be the same for all runs`);
      }
      const options = { ...base, ...flags, seed };
      const named = { ...options, tbPrefix: name, comment: `${variant.name}-seed${seed}`.slice(0, 100) };
      runs.push({
        variant: variant.name,
        seed,
        flags: [...variant.flags, '--seed', String(seed)],
        settings: settingsOf(named, dataset, initialWeights),
        runId: '',
        state: 'waiting',
        message: '',
      });
    }
  }
  return { series: name, runs };
}

/** As JSON has them; threads are left out, because results do not depend on them. */
function settingsOf(
  options: TrainOptions,
  dataset: string,
  initialWeights: InitialWeights | undefined,
): SeriesRun['settings'] {
  const settings = { ...toRunSettings(options, dataset, ''), initialWeights };
  return JSON.parse(JSON.stringify({ ...settings, threads: undefined })) as Record<string, unknown>;
}

/** Threads of each engine when `parallel` of them share this machine. */
export function threadsOf(base: TrainOptions, parallel: number): number {
  return base.threads ?? Math.max(1, Math.floor(availableParallelism() / parallel));
}
