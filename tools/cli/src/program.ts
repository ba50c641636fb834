import { Command, CommanderError } from 'commander';
import { registerCache } from './commands/cache.ts';
import { registerData } from './commands/data.ts';
import { registerDevCa } from './commands/dev-ca.ts';
import { registerEvaluate } from './commands/evaluate.ts';
import { registerExport } from './commands/export.ts';
import { registerExperiment } from './commands/experiment.ts';
import { registerPredict } from './commands/predict.ts';
import { registerReport } from './commands/report.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerRuns } from './commands/runs.ts';
import { registerSamples } from './commands/samples.ts';
import { registerTrain } from './commands/train.ts';
import { registerUp } from './commands/up.ts';
import type { CommandContext } from './commands/context.ts';
import { describeError, ExitCode } from './errors.ts';

/** The whole command line. Parsing errors end with exit code 2 and one sentence. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('lunastream')
    .description(
      'Trains lung-nodule classifiers on CT scans, from cached chunks and augmented samples streamed over gRPC',
    )
    .configureOutput({
      writeOut: (text) => context.terminal.out(text),
      writeErr: (text) => context.terminal.err(text),
    })
    .exitOverride((error) => {
      if (error.exitCode !== 0) context.setExitCode(ExitCode.badInput);
      throw error;
    })
    .showSuggestionAfterError(true);
  registerUp(program, context);
  registerTrain(program, context);
  registerExperiment(program, context);
  registerReport(program, context);
  registerEvaluate(program, context);
  registerPredict(program, context);
  registerExport(program, context);
  registerRuns(program, context);
  registerData(program, context);
  registerCache(program, context);
  registerSamples(program, context);
  registerDevCa(program, context);
  registerDoctor(program, context);
  return program;
}

/** Runs the command line `argv` to its end; whatever goes wrong becomes one sentence and an exit code. */
export async function runProgram(argv: readonly string[], context: CommandContext): Promise<void> {
  try {
    await createProgram(context).parseAsync(argv);
  } catch (error) {
    // Commander has written its own message and set the code.
    if (error instanceof CommanderError) return;
    const { message, exitCode } = describeError(error);
    if (exitCode !== ExitCode.interrupted) context.terminal.err(`lunastream: ${message}\n`);
    context.setExitCode(exitCode);
  }
}
