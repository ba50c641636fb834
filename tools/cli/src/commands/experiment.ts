import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { RunSettings, RunState } from '@lunastream/contracts';
import {
  classWordsOf,
  compareVariants,
  meanScoreChoices,
  readRunResults,
  toVariantRun,
  type ReportedRun,
} from '@lunastream/report';
import {
  addConnectionOptions,
  openSecurity,
  securedEnvironment,
  type ConnectionOptions,
} from '../connection-options.ts';
import { assertDataFolder } from '../data-folder.ts';
import { ExitCode } from '../errors.ts';
import { choicesTable, comparisonTable, scoreAdvice } from '../experiments/comparison-table.ts';
import { ensureDemoData } from '../experiments/demo-data.ts';
import { planSeries, threadsOf } from '../experiments/plan-series.ts';
import { runSeries, type SeriesObserver, type SeriesTrainer } from '../experiments/run-series.ts';
import {
  SERIES_NAMES,
  SERIES_QUESTIONS,
  variantsOf,
  type GridAxis,
  type SeriesName,
} from '../experiments/series.ts';
import {
  continueSeries,
  readSeriesRecord,
  writeSeriesRecord,
  type SeriesRecord,
} from '../experiments/series-record.ts';
import { LocalDataset } from '../local-dataset.ts';
import { LocalStack } from '../local-stack.ts';
import { readStartWeights } from '../start-weights.ts';
import { addTrainOptions, wholeNumber, type TrainOptions } from '../train-options.ts';
import { DEFAULT_STATE_FOLDER, type CommandContext } from './context.ts';
import { writeReport } from './report.ts';
import { RunSession } from './run-session.ts';

const LOCAL_DATASET = 'default';
/** Epochs of the chapter's longest runs. */
const CHAPTER_EPOCHS = 20;
/**
 * A series on two cores in minutes: samples of a third of the chapter's voxels, short epochs. Flags that are given win.
 */
const QUICK: Partial<TrainOptions> = {
  epochs: 12,
  epochLength: 1000,
  batchSize: 8,
  chunk: { depth: 24, height: 32, width: 32 },
};

interface Options extends TrainOptions, ConnectionOptions {
  readonly data?: string;
  readonly workers: number;
  readonly out: string;
  readonly state: string;
  readonly name?: string;
  readonly seeds: number;
  readonly parallel: number;
  readonly quick?: true;
  readonly set: readonly GridAxis[];
  readonly json?: true;
  readonly report: boolean;
}

export function registerExperiment(program: Command, context: CommandContext): void {
  const group = program
    .command('experiment')
    .description('run a series of trainings on one data plane and compare them: table, intervals, report');
  for (const name of SERIES_NAMES) {
    const command = group.command(name).description(SERIES_QUESTIONS[name]);
    addSeriesOptions(command);
    addTrainOptions(command);
    addConnectionOptions(command);
    command.action(() => experiment(name, command, context));
  }
}

function addSeriesOptions(command: Command): void {
  command
    .optionsGroup('The series:')
    .option(
      '--data <folder>',
      'LUNA16 folder (default with --quick: simulated nodules in real lungs, made once)',
    )
    .addOption(
      new Option('--seeds <count>', 'seeds of each variant, from --seed on')
        .default(1)
        .argParser(wholeNumber(1, 1000)),
    )
    .addOption(
      new Option(
        '--parallel <count>',
        'runs at a time, each on a trainer of its own; they share cache, workers and cores',
      )
        .default(1)
        .argParser(wholeNumber(1, 64)),
    )
    .option('--quick', 'small samples and short epochs: minutes on two cores')
    .addOption(
      new Option(
        '--set <flag=values>',
        'a flag of train and its values, as batch-size=16,32; again for more (grid)',
      )
        .default([])
        .argParser(gridAxis),
    )
    .option(
      '--name <name>',
      'first folder level of the runs; a series of the same name goes on (default: experiment-<series>)',
    )
    .addOption(
      new Option('--workers <count>', 'augmentation workers to start')
        .default(2)
        .argParser(wholeNumber(1, 256)),
    )
    .option('--out <folder>', 'folder below which the series gets its own', 'runs')
    .option('--state <folder>', 'folder for cached chunks and service logs', DEFAULT_STATE_FOLDER)
    .option('--json', 'lines of JSON: one per run that ends, then the comparison')
    .option('--no-report', 'leave report.html out');
}

function gridAxis(text: string, previous: readonly GridAxis[]): GridAxis[] {
  const [, flag, values] = /^(?:--)?([a-z][a-z0-9-]*)=(.+)$/.exec(text) ?? [];
  if (flag === undefined || values === undefined) {
    throw new InvalidArgumentError('It must be flag=value,value as in batch-size=16,32.');
  }
  return [...previous, { flag, values: values.split(',') }];
}

async function experiment(series: SeriesName, command: Command, context: CommandContext): Promise<void> {
  const options = withDefaults(command);
  const name = options.name ?? `experiment-${series}`;
  const variants = variantsOf(series, options, options.set);
  const weights = await readStartWeights(options);
  const planned = planSeries({
    ...{ name, variants, base: options, seeds: options.seeds, dataset: LOCAL_DATASET },
    initialWeights: weights?.settings,
  });
  const data = options.data ?? (await ensureDemoData(options.state, context));
  await assertDataFolder(data);
  const folder = join(resolve(options.out), name);
  const { fingerprint: datasetFingerprint } = await LocalDataset.open(data);
  const record = continueSeries({ ...planned, datasetFingerprint }, await readSeriesRecord(folder));
  await writeSeriesRecord(folder, record);
  await doRuns(record, { ...options, data, weightsFile: weights?.file }, context);
  const runs = await readSeries(record, resolve(options.out));
  printComparison(series, record, runs, { options, context });
  if (options.report && runs.length > 0) {
    const path = join(folder, 'report.html');
    await writeReport(path, { title: `lunastream: ${SERIES_QUESTIONS[series]}`, runs, dataFolder: data });
    if (!options.json) context.terminal.out(`report ${path}\n`);
  }
  if (context.interrupted.aborted) context.setExitCode(ExitCode.interrupted);
  else if (record.runs.some(({ state }) => state !== 'finished')) context.setExitCode(ExitCode.failed);
}

/** Flags as they were given; what was not comes from --quick, or is the chapter's length. */
function withDefaults(command: Command): Options {
  const options = command.opts<Options>();
  const given = (key: string) => command.getOptionValueSource(key) === 'cli';
  const wanted: Partial<TrainOptions> = { epochs: CHAPTER_EPOCHS, ...(options.quick ? QUICK : {}) };
  const filled = Object.entries(wanted).filter(([key]) => !given(key));
  return { ...options, ...Object.fromEntries(filled) };
}

/** Does the runs that are left on one stack. Nothing is started where none are. */
async function doRuns(
  record: SeriesRecord,
  options: Options & { readonly data: string; readonly weightsFile: Uint8Array | undefined },
  context: CommandContext,
): Promise<void> {
  const waiting = record.runs.filter(({ state }) => state === 'waiting').length;
  if (waiting === 0) return;
  const parallel = Math.min(options.parallel, waiting);
  const stack = await LocalStack.start({
    datasets: { [LOCAL_DATASET]: options.data },
    workerCount: options.workers,
    runsFolder: resolve(options.out),
    stateFolder: resolve(options.state),
    trainerPort: 0,
    seriesTrainers: parallel,
    environment: securedEnvironment(options, context.environment),
    onRestart: (sentence) => context.terminal.err(`lunastream: ${sentence}\n`),
  });
  const threads = threadsOf(options, parallel);
  const sessions = stack.addresses.trainers.map(
    (address) => new RunSession(address, openSecurity(options, context.environment)),
  );
  try {
    const trainers = sessions.map((session) => seriesTrainer(session, threads, options.weightsFile));
    await runSeries(record, trainers, observer(record, options, context), context.interrupted);
  } finally {
    for (const session of sessions) session.close();
    await stack.stop();
  }
}

function seriesTrainer(
  session: RunSession,
  threads: number,
  weightsFile: Uint8Array | undefined,
): SeriesTrainer {
  return {
    ready: (signal) => session.ready(signal),
    start: (settings) => session.start(RunSettings.fromPartial({ ...settings, threads }), weightsFile),
    hasFinished: async (runId) => (await session.get(runId)).state === RunState.FINISHED,
    watch: (runId, display, signal) => session.watch(runId, { ...display, close: () => undefined }, signal),
    stop: (runId) => session.stop(runId),
  };
}

/** Writes the record after every change and tells what happens, a line each. */
function observer(record: SeriesRecord, options: Options, { terminal }: CommandContext): SeriesObserver {
  const folder = join(resolve(options.out), record.series);
  const startMs = performance.now();
  let written = Promise.resolve();
  const say = (text: string) => (options.json ? undefined : terminal.out(`${text}\n`));
  return {
    onRun: async (run) => {
      written = written.then(() => writeSeriesRecord(folder, record));
      await written;
      const { variant, seed, state, message, runId } = run;
      const done = record.runs.filter(
        (other) => other.state === 'finished' || other.state === 'failed',
      ).length;
      const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
      if (options.json && state !== 'running') {
        terminal.out(`${JSON.stringify({ event: 'run', variant, seed, state, message, runId })}\n`);
      }
      const reason = message === '' ? '' : `: ${message}`;
      if (state === 'running') say(`${variant}, seed ${seed}: started`);
      else
        say(
          `${variant}, seed ${seed}: ${state}${reason} (${done} of ${record.runs.length} runs, ${minutes} min)`,
        );
    },
    onScores: ({ variant, seed }, { epoch, split, recall, precision, lossPos }) => {
      if (split !== 'val') return;
      const words = (value: number | undefined) => value?.toFixed(4) ?? 'undefined';
      say(
        `${variant}, seed ${seed}: E${epoch} val recall ${words(recall)}, precision ${words(precision)}, loss/pos ${words(lossPos)}`,
      );
    },
  };
}

/** What the runs left, also those that failed on the way: their epochs count as far as they came. */
async function readSeries(record: SeriesRecord, runsFolder: string): Promise<ReportedRun[]> {
  const begun = record.runs.filter(({ runId }) => runId !== '');
  const runs = await Promise.all(
    begun.map(async ({ variant, seed, runId }) => ({
      variant,
      seed,
      results: await readRunResults(join(runsFolder, runId)),
    })),
  );
  return runs.filter(({ results }) => results.epochs.length > 0);
}

function printComparison(
  series: SeriesName,
  record: SeriesRecord,
  runs: readonly ReportedRun[],
  { options, context: { terminal } }: { readonly options: Options; readonly context: CommandContext },
): void {
  const summaries = compareVariants(runs.map(toVariantRun));
  const failed = record.runs.filter(({ state }) => state === 'failed');
  const choices = summaries.map(({ variant }) => ({
    variant,
    choices: meanScoreChoices(runs.filter((run) => run.variant === variant).map(toVariantRun)),
  }));
  if (options.json) {
    terminal.out(
      `${JSON.stringify({ event: 'comparison', series: record.series, summaries, choices, failed })}\n`,
    );
    return;
  }
  if (summaries.length > 0) terminal.out(`\n${comparisonTable(summaries)}\n\n`);
  terminal.out('validation at the last epoch; ± half of the 95 % interval of the mean over seeds\n');
  if (series === 'score' && choices.length > 0) {
    const words = classWordsOf(runs);
    for (const { choices: ofVariant } of choices) terminal.out(`\n${choicesTable(ofVariant, words)}\n`);
    terminal.out(`\n${scoreAdvice(words)}\n`);
  }
  for (const { variant, seed, message } of failed)
    terminal.out(`failed: ${variant}, seed ${seed}: ${message}\n`);
}
