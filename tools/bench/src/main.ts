import { EngineUnavailableError } from '@lunastream/engine';
import { Command, CommanderError } from 'commander';
import { augmentationSuite } from './augmentation-suite.ts';
import { chunksSuite } from './chunks-suite.ts';
import { PeerUnavailableError } from './peer.ts';
import type { Figures, Suite, SuiteOptions } from './suite.ts';
import { streamSuite } from './stream-suite.ts';
import { trainingSuite } from './training-suite.ts';
import { workerSuite } from './worker-suite.ts';

const EXIT_FAILED = 1;
const EXIT_BAD_INPUT = 2;

// As in the trainer: TensorFlow takes a GPU's memory as it needs it, and leaves PyTorch some.
process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';

const program = new Command('bench')
  .description('Measures lunastream; medians of several rounds. Run it while nothing else runs.')
  .exitOverride((error) => {
    if (error.exitCode !== 0) process.exitCode = EXIT_BAD_INPUT;
    throw error;
  });

function format(figures: Figures): string {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  const text = (value: Figures[string]) => {
    if (typeof value === 'number') return value.toPrecision(4);
    return typeof value === 'string' ? value : JSON.stringify(value);
  };
  return Object.entries(figures)
    .map(([name, value]) => `${name.padEnd(width)}  ${text(value)}\n`)
    .join('');
}

function register<Options extends SuiteOptions>(suite: Suite<Options>): void {
  suite
    .addOptions(program.command(suite.name).description(suite.question))
    .option('--json', 'one JSON object')
    .option('--peer', 'also run the peer program of peers/, and tell the ratio', false)
    .option('--python <program>', 'Python that has the packages of the peer', 'python3')
    .action(async (options: Options & { readonly json?: true }) => {
      const figures = await suite.run(options);
      process.stdout.write(options.json ? `${JSON.stringify(figures)}\n` : format(figures));
    });
}

register(augmentationSuite);
register(trainingSuite);
register(workerSuite);
register(streamSuite);
register(chunksSuite);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has written its own message and set the code.
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    const isMissing = error instanceof PeerUnavailableError || error instanceof EngineUnavailableError;
    process.exitCode = isMissing ? EXIT_BAD_INPUT : EXIT_FAILED;
  }
}
