import { Option, type Command } from 'commander';
import type { Run } from '@lunastream/contracts';
import type { Environment } from '@lunastream/service-kit';
import { formatTable } from '../closing-table.ts';
import { createRunDisplay, stateName } from '../run-display.ts';
import { wholeNumber } from '../train-options.ts';
import { addConnectionOptions, openSecurity, type ConnectionOptions } from '../connection-options.ts';
import { DEFAULT_TRAINER_ADDRESS, type CommandContext } from './context.ts';
import { exitCodeOf, RunSession } from './run-session.ts';

interface TrainerOption extends ConnectionOptions {
  readonly trainer: string;
}

const trainerOption = () =>
  new Option('--trainer <host:port>', 'address of the trainer').default(DEFAULT_TRAINER_ADDRESS);

/** The commands about runs of a trainer: runs, watch, stop. */
export function registerRuns(program: Command, context: CommandContext): void {
  const list = program
    .command('runs')
    .description("list a trainer's runs, newest first")
    .addOption(trainerOption())
    .option('--tb-prefix <name>', 'only runs below this prefix', '')
    .addOption(new Option('--limit <count>', 'most runs shown').default(20).argParser(wholeNumber(1, 1000)))
    .option('--json', 'a line of JSON per run')
    .action((options: TrainerOption & { tbPrefix: string; limit: number; json?: true }) =>
      listRuns(options, context),
    );
  addConnectionOptions(list);
  const watch = program
    .command('watch')
    .argument('<run>', 'id of the run, <prefix>/<time>-<comment>')
    .description('show a run from its first line to its end')
    .addOption(trainerOption())
    .addOption(new Option('--json', 'a line of JSON per event').conflicts('quiet'))
    .option('--quiet', 'only the closing table')
    .action((runId: string, options: TrainerOption & { json?: true; quiet?: true }) =>
      watchRun(runId, options, context),
    );
  addConnectionOptions(watch);
  const stop = program
    .command('stop')
    .argument('<run>', 'id of the run, <prefix>/<time>-<comment>')
    .description('stop a run; its last checkpoint can be resumed')
    .addOption(trainerOption())
    .action((runId: string, options: TrainerOption) => stopRun(runId, options, context));
  addConnectionOptions(stop);
}

async function withSession<Value>(
  options: TrainerOption,
  environment: Environment,
  use: (session: RunSession) => Promise<Value>,
): Promise<Value> {
  const session = new RunSession(options.trainer, openSecurity(options, environment));
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

function lastValidation(run: Run) {
  return run.scores.findLast(({ split }) => split === 'val');
}

async function listRuns(
  options: TrainerOption & { tbPrefix: string; limit: number; json?: true },
  { terminal, environment }: CommandContext,
): Promise<void> {
  const runs = await withSession(options, environment, (session) =>
    session.list(options.tbPrefix, options.limit),
  );
  if (options.json) {
    for (const run of runs) terminal.out(`${JSON.stringify({ ...run, state: stateName(run.state) })}\n`);
    return;
  }
  const rows = runs.map((run) => {
    const scores = lastValidation(run);
    const text = (value: number | undefined) => value?.toFixed(4) ?? '-';
    return [
      run.runId,
      stateName(run.state),
      String(scores?.epoch ?? 0),
      text(scores?.recall),
      text(scores?.precision),
      text(scores?.f1),
    ];
  });
  const head = ['run', 'state', 'epochs', 'val recall', 'val precision', 'val F1'];
  terminal.out(`${formatTable(head, rows, ['left', 'left', 'right', 'right', 'right', 'right'])}\n`);
}

async function watchRun(
  runId: string,
  options: TrainerOption & { json?: true; quiet?: true },
  { terminal, environment, interrupted, setExitCode }: CommandContext,
): Promise<void> {
  await withSession(options, environment, async (session) => {
    const { runFolder } = await session.get(runId);
    const display = createRunDisplay(options.json ? 'json' : options.quiet ? 'quiet' : 'full', terminal);
    try {
      setExitCode(exitCodeOf(await session.watch(runId, display, interrupted)));
    } catch (error) {
      if (!interrupted.aborted) throw error;
    } finally {
      display.close(runFolder);
    }
  });
}

async function stopRun(
  runId: string,
  options: TrainerOption,
  { terminal, environment }: CommandContext,
): Promise<void> {
  const state = await withSession(options, environment, (session) => session.stop(runId));
  terminal.out(`run ${runId} ${stateName(state)}\n`);
}
