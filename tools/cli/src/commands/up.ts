import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { addConnectionOptions, securedEnvironment, type ConnectionOptions } from '../connection-options.ts';
import { assertDataFolder } from '../data-folder.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { LocalStack } from '../local-stack.ts';
import { formatTable } from '../closing-table.ts';
import { wholeNumber } from '../train-options.ts';
import { prometheusOption, tellScrapeTargets } from '../scrape-targets.ts';
import { DEFAULT_STATE_FOLDER, DEFAULT_TRAINER_ADDRESS, type CommandContext } from './context.ts';

interface Options extends ConnectionOptions {
  readonly data: string;
  readonly workers: number;
  readonly localAugment?: true;
  readonly out: string;
  readonly state: string;
  readonly port: number;
  readonly prometheus?: number;
  readonly json?: true;
}

export function registerUp(program: Command, context: CommandContext): void {
  const command = program
    .command('up')
    .description('start the three services for one data folder and keep them until Ctrl-C')
    .requiredOption('--data <folder>', 'LUNA16 folder to serve')
    .addOption(
      new Option('--workers <count>', 'augmentation workers').default(2).argParser(wholeNumber(1, 256)),
    )
    .addOption(
      new Option(
        '--local-augment',
        'read and augment in the trainer, on threads: no cache, no workers',
      ).conflicts('workers'),
    )
    .option('--out <folder>', 'folder below which every run gets its own', 'runs')
    .option('--state <folder>', 'folder for cached chunks and service logs', DEFAULT_STATE_FOLDER)
    .addOption(
      new Option('--port <number>', 'port of the trainer; 0 takes any')
        .default(Number(DEFAULT_TRAINER_ADDRESS.split(':')[1]))
        .argParser(wholeNumber(0, 65_535)),
    )
    .addOption(prometheusOption())
    .option('--json', 'addresses as one line of JSON')
    .action((options: Options) => up(options, context));
  addConnectionOptions(command);
}

async function up(
  options: Options,
  { terminal, environment, interrupted, setExitCode }: CommandContext,
): Promise<void> {
  await assertDataFolder(options.data);
  const stack = await LocalStack.start({
    datasets: { default: options.data },
    workerCount: options.workers,
    isLocalAugment: options.localAugment === true,
    runsFolder: resolve(options.out),
    stateFolder: resolve(options.state),
    trainerPort: options.port,
    prometheusPort: options.prometheus,
    environment: securedEnvironment(options, environment),
    onRestart: (sentence) => terminal.err(`lunastream: ${sentence}\n`),
  });
  try {
    await tellScrapeTargets(stack, resolve(options.state), (line) => terminal.err(line));
    const { chunkCache, workers, trainer } = stack.addresses;
    if (options.json) {
      const { addresses, processes, scrapeTargets } = stack;
      terminal.out(`${JSON.stringify({ ...addresses, processes, scrapeTargets })}\n`);
    } else {
      const rows = [
        ...(chunkCache === undefined ? [] : [['chunk-cache', chunkCache]]),
        ...workers.map((address, index) => [`augmentation-${index + 1}`, address]),
        ['trainer', trainer],
      ];
      terminal.out(`${formatTable(['service', 'address'], rows, ['left', 'left'])}\n\n`);
      terminal.out(
        `train with   lunastream train --trainer ${trainer} --balanced --augmented\nCtrl-C stops all\n`,
      );
    }
    const stopped = new Promise<'interrupted'>((resolve) => {
      if (interrupted.aborted) resolve('interrupted');
      interrupted.addEventListener('abort', () => resolve('interrupted'), { once: true });
    });
    const reason = await Promise.race([stopped, stack.trainerEnd()]);
    if (reason !== 'interrupted') {
      throw new CommandError(
        `Cannot go on: the trainer ended unexpectedly, see ${resolve(options.state)}/logs/trainer.log`,
        ExitCode.failed,
      );
    }
    setExitCode(ExitCode.ok);
  } finally {
    await stack.stop();
  }
}
