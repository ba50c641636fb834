import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The repository's root, where every command runs. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Path of a program that npm installed. */
export const installed = (path) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url));

/**
 * Runs a command and resolves with its exit code; `quiet` keeps its output and returns it.
 * Ctrl-C reaches the command by itself (one terminal, one process group); this process waits for its end.
 */
export function run(command, args, { quiet = false, env = process.env } = {}) {
  const ignoreInterrupt = () => undefined;
  process.on('SIGINT', ignoreInterrupt);
  return new Promise((resolve, reject) => {
    // What a step prints goes to standard error: standard output belongs to the command that was asked for.
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['inherit', 2, 2],
    });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => output.push(data));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('SIGINT', ignoreInterrupt);
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 1), output: Buffer.concat(output).toString() });
    });
  });
}

/** Writes a line for people. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}
