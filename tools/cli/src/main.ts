import { runProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

const interruption = new AbortController();
// The first signal ends the work in order; a second one would end this process at once, as the default does.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());

await runProgram(process.argv, {
  terminal: processTerminal(process),
  environment: process.env,
  interrupted: interruption.signal,
  setExitCode: (code) => {
    process.exitCode = code;
  },
});
