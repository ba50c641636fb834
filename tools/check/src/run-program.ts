import { execFile } from 'node:child_process';

export interface ProgramResult {
  readonly code: number;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard output, then to standard error. */
  readonly output: string;
}

// ESLint's report of a whole workspace as JSON.
const LARGEST_OUTPUT_BYTES = 64 * 2 ** 20;

/**
 * Runs a program to its end; an exit code other than 0 is a result, not an error.
 * @throws when the program cannot be started or is killed.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  { cwd }: { readonly cwd: string },
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, maxBuffer: LARGEST_OUTPUT_BYTES }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, output: stdout + stderr });
      else reject(new Error(`Cannot run ${command} ${args.join(' ')} in ${cwd}`, { cause: error }));
    });
  });
}
