import { CommanderError } from 'commander';
import type { CommandContext } from './commands/context.ts';
import { describeError, ExitCode } from './errors.ts';
import { createProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

const interruption = new AbortController();
// The first signal ends the work in order; a second one would end this process at once, as the default does.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());

const context: CommandContext = {
  terminal: processTerminal(process),
  environment: process.env,
  interrupted: interruption.signal,
  setExitCode: (code) => {
    process.exitCode = code;
  },
};

try {
  await createProgram(context).parseAsync(process.argv);
} catch (error) {
  // Commander has written its own message and set the code.
  if (!(error instanceof CommanderError)) {
    const { message, exitCode } = describeError(error);
    if (exitCode !== ExitCode.interrupted) context.terminal.err(`lunastream: ${message}\n`);
    context.setExitCode(exitCode);
  }
}
