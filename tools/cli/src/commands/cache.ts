import { Option, type Command } from 'commander';
import { addConnectionOptions, type ConnectionOptions } from '../connection-options.ts';
import { formatTable } from '../closing-table.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { CacheFolders, readServiceStats, statsTable, type HeldEntries } from '../cache-folders.ts';
import { createTaskProgress, NO_PROGRESS } from '../task-progress.ts';
import { registerCacheWarm } from './cache-warm.ts';
import { DEFAULT_STATE_FOLDER, type CommandContext } from './context.ts';

interface StateOptions {
  readonly state: string;
  readonly json?: true;
  readonly quiet?: true;
}

interface StatsOptions extends ConnectionOptions {
  readonly address?: string;
  readonly state: string;
  readonly json?: true;
}

/** `--state`: the folder whose chunks and copies a command is about. */
export const stateOption = (): Option =>
  new Option('--state <folder>', 'state folder of the services that kept them').default(DEFAULT_STATE_FOLDER);

/** The commands about kept chunks and local copies of scans: cache stats, clear, verify, warm. */
export function registerCache(program: Command, context: CommandContext): void {
  const cache = program.command('cache').description('look after chunks and copies of scans that were kept');
  const stats = cache
    .command('stats')
    .description('what a state folder holds, or what a running chunk cache has counted since its start')
    .addOption(
      new Option('--address <host:port>', 'ask the chunk cache that runs there, instead of a folder'),
    )
    .addOption(stateOption())
    .option('--json', 'one JSON document')
    .action((options: StatsOptions) => showStats(options, context));
  addConnectionOptions(stats);
  cache
    .command('clear')
    .description('remove every kept chunk and every copy; services may run, and cut again what they need')
    .addOption(stateOption())
    .option('--json', 'one JSON document')
    .option('--quiet', 'no table')
    .action((options: StateOptions) => clear(options, context));
  cache
    .command('verify')
    .description('read every chunk and copy, and remove damaged ones; exit code 1 when there were any')
    .addOption(stateOption())
    .option('--json', 'one JSON document')
    .option('--quiet', 'no table and no progress')
    .action((options: StateOptions) => verify(options, context));
  registerCacheWarm(cache, context);
}

async function showStats(options: StatsOptions, { terminal, environment }: CommandContext): Promise<void> {
  const { address, state, json } = options;
  if (address !== undefined) {
    const counts = await readServiceStats(address, options, environment);
    terminal.out(json ? `${JSON.stringify(counts)}\n` : `${statsTable(counts)}\n`);
    return;
  }
  const folders = await CacheFolders.find(state);
  const held = await folders.stats();
  terminal.out(json ? `${JSON.stringify(held)}\n` : `${heldTable(state, held)}\n`);
}

async function clear({ state, json, quiet }: StateOptions, { terminal }: CommandContext): Promise<void> {
  const removed = await (await CacheFolders.find(state)).clear();
  if (json) terminal.out(`${JSON.stringify(removed)}\n`);
  else if (!quiet) terminal.out(`${heldTable(`removed from ${state}`, removed)}\n`);
}

async function verify({ state, json, quiet }: StateOptions, context: CommandContext): Promise<void> {
  const { terminal, interrupted, setExitCode } = context;
  const folders = await CacheFolders.find(state);
  const progress = quiet ? NO_PROGRESS : createTaskProgress('chunks', terminal);
  const found = await folders
    .verify((done, total) => {
      if (interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
      progress.update(done, total);
    })
    .finally(() => progress.close());
  const damaged = found.chunks.corruptCount + found.copies.corruptCount;
  if (json) terminal.out(`${JSON.stringify(found)}\n`);
  else if (!quiet) {
    const rows = [
      ['chunks', String(found.chunks.entryCount), String(found.chunks.corruptCount)],
      ['copies of scans', String(found.copies.entryCount), String(found.copies.corruptCount)],
    ];
    terminal.out(
      `${formatTable([state, 'checked', 'damaged, removed'], rows, ['left', 'right', 'right'])}\n`,
    );
  }
  setExitCode(damaged > 0 ? ExitCode.failed : ExitCode.ok);
}

function heldTable(title: string, { chunks, copies }: HeldEntries): string {
  const rows = [
    ['chunks', String(chunks.entryCount), String(chunks.sizeBytes)],
    ['copies of scans', String(copies.entryCount), String(copies.sizeBytes)],
  ];
  return formatTable([title, 'entries', 'bytes'], rows, ['left', 'right', 'right']);
}
