import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A peer program that cannot run here: Python or a package of it is missing. */
export class PeerUnavailableError extends Error {
  readonly tag = 'PeerUnavailableError';
}

/** What a tfjs backend made of LunaModel, or why it could not. */
export type TfjsFigures =
  | { readonly version: string; readonly samples_per_second: number; readonly peak_rss_mb: number }
  | { readonly missing: string };

/** Runs LunaModel as stock tfjs operations on a backend of tfjs, in a process of its own. */
export async function runTfjsPeer(args: readonly string[]): Promise<TfjsFigures> {
  // Of the engine's library, the only one that may import tfjs. This file runs from dist/src.
  const path = fileURLToPath(new URL('../../../../libs/engine/bench/tfjs-model.mjs', import.meta.url));
  const { stdout } = await run(process.execPath, [path, '--what', 'stock', '--json', ...args]);
  return JSON.parse(stdout) as TfjsFigures;
}

/**
 * Runs `peers/<program>` and returns the JSON object that it prints.
 * @throws PeerUnavailableError with the last line that Python wrote.
 */
export async function runPeer(
  program: string,
  { python, args }: { readonly python: string; readonly args: readonly string[] },
): Promise<Record<string, number | string>> {
  // This file runs from dist/src.
  const path = fileURLToPath(new URL(`../../peers/${program}`, import.meta.url));
  try {
    const { stdout } = await run(python, [path, ...args]);
    return JSON.parse(stdout) as Record<string, number | string>;
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    const reason = stderr?.trim().split('\n').at(-1) || message;
    throw new PeerUnavailableError(
      `Cannot run the peer ${program} with ${python}: ${reason}; name a Python that has its packages with --python`,
      { cause },
    );
  }
}
