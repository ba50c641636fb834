import { runProgram } from '../src/program.ts';
import { FakeTerminal } from './fake-terminal.ts';

/** What a command left behind. */
export interface CommandOutcome {
  /** As the process would end with. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly terminal?: FakeTerminal;
  readonly interrupted?: AbortSignal;
}

/** Runs `lunastream ...args` in this process, with a terminal of its own. */
export async function runCommand(
  args: readonly string[],
  { terminal = new FakeTerminal(), interrupted = new AbortController().signal }: CommandOptions = {},
): Promise<CommandOutcome> {
  let exitCode = 0;
  await runProgram(['node', 'lunastream', ...args], {
    terminal,
    environment: {},
    interrupted,
    setExitCode: (code) => (exitCode = code),
  });
  return { exitCode, stdout: terminal.stdout, stderr: terminal.stderr };
}
