import { Option, type Command } from 'commander';
import { decimal, shape, wholeNumber } from '../train-options.ts';

/** The network halves each axis four times. */
const SMALLEST_CHUNK_AXIS = 16;

/** Adds the flags that name a trained model and what computes it. */
export function addModelOptions(command: Command): Command {
  return command
    .option('--run <folder>', 'run whose checkpoint is used')
    .addOption(
      new Option('--checkpoint <name>', 'which checkpoint of the run')
        .choices(['best', 'last'])
        .default('best'),
    )
    .addOption(
      new Option('--weights <file>', "safetensors file with PyTorch's names, instead of a run").conflicts(
        'run',
      ),
    )
    .addOption(
      new Option('--chunk <shape>', 'sample size of --weights; a run knows its own')
        .default({ depth: 32, height: 48, width: 48 }, '32x48x48')
        .argParser(shape(SMALLEST_CHUNK_AXIS)),
    )
    .addOption(
      new Option(
        '--threshold <probability>',
        "a probability above this is a positive (default: the run's, else 0.5)",
      ).argParser(decimal((value) => value >= 0 && value <= 1, 'in 0..1')),
    )
    .option('--engine <name>', 'what computes, as in train', 'auto')
    .addOption(
      new Option('--threads <count>', 'threads of the simd engine (default: one per core)').argParser(
        wholeNumber(1, 256),
      ),
    );
}
