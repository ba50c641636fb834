import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { RunState } from '@lunastream/contracts';
import {
  addConnectionOptions,
  openSecurity,
  securedEnvironment,
  type ConnectionOptions,
} from '../connection-options.ts';
import { assertDataFolder } from '../data-folder.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { LocalStack } from '../local-stack.ts';
import { createRunDisplay, type DisplayForm } from '../run-display.ts';
import { readStartWeights, type StartWeights } from '../start-weights.ts';
import { addTrainOptions, toRunSettings, wholeNumber, type TrainOptions } from '../train-options.ts';
import { prometheusOption, tellScrapeTargets } from '../scrape-targets.ts';
import { DEFAULT_STATE_FOLDER, type CommandContext } from './context.ts';
import { exitCodeOf, RunSession } from './run-session.ts';

/** Name under which a local stack serves its only data set. */
const LOCAL_DATASET = 'default';
/** After Ctrl-C the run has this long to end by itself before its processes are ended. */
const STOP_RUN_TIMEOUT_MS = 1_000;

interface Options extends TrainOptions, ConnectionOptions {
  readonly data?: string;
  readonly trainer?: string;
  readonly dataset: string;
  readonly workers: number;
  readonly localAugment?: true;
  readonly out: string;
  readonly state: string;
  readonly resume?: string;
  readonly prometheus?: number;
  readonly json?: true;
  readonly quiet?: true;
}

export function registerTrain(program: Command, context: CommandContext): void {
  const command = program
    .command('train')
    .description(
      'train a classifier: starts the three services for one data folder, or uses a running trainer',
    )
    .optionsGroup('Where:')
    .option('--data <folder>', 'LUNA16 folder: candidates.csv, annotations.csv, subset*/<series_uid>.mhd')
    .addOption(
      new Option('--workers <count>', 'augmentation workers to start')
        .default(2)
        .argParser(wholeNumber(1, 256)),
    )
    .addOption(
      new Option(
        '--local-augment',
        'read and augment in the trainer, on threads: no cache, no workers',
      ).conflicts(['workers', 'trainer']),
    )
    .option('--out <folder>', 'folder below which the run gets its own, <tb-prefix>/<time>-<comment>', 'runs')
    .option(
      '--resume <run folder>',
      'continue a run from its last checkpoint up to --epochs; its other settings apply',
    )
    .option('--state <folder>', 'folder for cached chunks and service logs', DEFAULT_STATE_FOLDER)
    .addOption(prometheusOption())
    .addOption(
      new Option('--trainer <host:port>', 'use a running trainer instead of starting one').conflicts('data'),
    )
    .option('--dataset <name>', "data set's name on a running trainer", LOCAL_DATASET);
  addTrainOptions(command)
    .optionsGroup('Output:')
    .addOption(new Option('--json', 'a line of JSON per event on standard output').conflicts('quiet'))
    .option('--quiet', 'only the closing table')
    .action((options: Options) => train(options, context));
  addConnectionOptions(command);
}

async function train(options: Options, context: CommandContext): Promise<void> {
  const weights = await readStartWeights(options);
  if (options.trainer !== undefined) {
    const session = { address: options.trainer, resumeRunId: options.resume ?? '', weights };
    const state = await trainOn(session, options, context);
    context.setExitCode(exitCodeOf(state));
    return;
  }
  if (options.data === undefined) {
    throw new CommandError(
      'Cannot train: name a data folder with --data, or a running trainer with --trainer',
    );
  }
  await assertDataFolder(options.data);
  const resumed = options.resume === undefined ? undefined : await locateRun(options.resume);
  const stack = await LocalStack.start({
    datasets: { [LOCAL_DATASET]: options.data },
    workerCount: options.workers,
    isLocalAugment: options.localAugment === true,
    runsFolder: resumed?.runsFolder ?? resolve(options.out),
    stateFolder: resolve(options.state),
    trainerPort: 0,
    prometheusPort: options.prometheus,
    environment: securedEnvironment(options, context.environment),
    onRestart: (sentence) => context.terminal.err(`lunastream: ${sentence}\n`),
  });
  try {
    await tellScrapeTargets(stack, resolve(options.state), (line) => context.terminal.err(line));
    const session = { address: stack.addresses.trainer, resumeRunId: resumed?.runId ?? '', weights };
    const trained = trainOn(session, options, context);
    trained.catch(() => undefined);
    const ended = await Promise.race([trained, stack.trainerEnd()]);
    if (ended === 'trainer ended' && !context.interrupted.aborted) {
      throw new CommandError(
        `Cannot go on: the trainer ended unexpectedly, see ${resolve(options.state)}/logs/trainer.log`,
        ExitCode.failed,
      );
    }
    context.setExitCode(ended === 'trainer ended' ? ExitCode.interrupted : exitCodeOf(ended));
  } finally {
    await stack.stop();
  }
}

/** Starts a run on a trainer and shows it to its end; Ctrl-C stops the run. */
async function trainOn(
  {
    address,
    resumeRunId,
    weights,
  }: {
    readonly address: string;
    readonly resumeRunId: string;
    readonly weights: StartWeights | undefined;
  },
  options: Options,
  context: CommandContext,
): Promise<RunState> {
  const session = new RunSession(address, openSecurity(options, context.environment));
  const form: DisplayForm = options.json ? 'json' : options.quiet ? 'quiet' : 'full';
  try {
    const { runId, runFolder } = await untilInterrupted(
      session.start(
        { ...toRunSettings(options, options.dataset, resumeRunId), initialWeights: weights?.settings },
        weights?.file,
      ),
      context.interrupted,
    );
    const display = createRunDisplay(form, context.terminal);
    const stopRun = () => void session.stop(runId).catch(() => undefined);
    context.interrupted.addEventListener('abort', stopRun, { once: true });
    if (context.interrupted.aborted) stopRun();
    const watching = new AbortController();
    const giveUp = () => setTimeout(() => watching.abort(), STOP_RUN_TIMEOUT_MS).unref();
    context.interrupted.addEventListener('abort', giveUp, { once: true });
    try {
      return await session.watch(runId, display, watching.signal);
    } catch (error) {
      if (context.interrupted.aborted) return RunState.STOPPED;
      throw error;
    } finally {
      display.close(runFolder);
    }
  } finally {
    session.close();
  }
}

async function untilInterrupted<Value>(work: Promise<Value>, interrupted: AbortSignal): Promise<Value> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const stop = () => reject(new CommandError('interrupted', ExitCode.interrupted));
      if (interrupted.aborted) stop();
      else interrupted.addEventListener('abort', stop, { once: true });
    }),
  ]);
}

/** The runs folder and the id of the run whose folder is `path`. */
async function locateRun(path: string): Promise<{ runsFolder: string; runId: string }> {
  const folder = resolve(path);
  if ((await stat(`${folder}/run.json`).catch(() => undefined)) === undefined) {
    throw new CommandError(`Cannot resume ${path}: it must be a run folder, got one without run.json`);
  }
  const prefix = dirname(folder);
  return { runsFolder: dirname(prefix), runId: `${basename(prefix)}/${basename(folder)}` };
}
