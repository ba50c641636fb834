import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { root } from '../workflow/process.mjs';

const execute = promisify(execFile);
const MOST_OUTPUT_BYTES = 64 * 2 ** 20;

/** Runs a program in the repository's root and returns its output; rejects with what it wrote when it fails. */
export async function output(program, args, options = {}) {
  const { stdout } = await execute(program, args, {
    cwd: root,
    maxBuffer: MOST_OUTPUT_BYTES,
    ...options,
  }).catch((error) => {
    throw new Error(
      `${program} ${args.join(' ')} failed:\n${error.stdout ?? ''}${error.stderr ?? error.message}`,
      {
        cause: error,
      },
    );
  });
  return stdout;
}

/** Rejects in one sentence when a program is missing. */
export async function assertPrograms(names) {
  for (const name of names) {
    await output('sh', ['-c', `command -v ${name}`]).catch(() => {
      throw new Error(`Cannot test images: ${name} must be installed, see tools/images/container-host.sh`);
    });
  }
}

/** Rejects with `message` unless `condition` holds. */
export function assert(condition, message) {
  if (!condition) throw new Error(message);
}
