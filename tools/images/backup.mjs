import { spawn } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, output } from './programs.mjs';

/** Where a trainer's container has its runs. */
const RUNS = '/var/lib/lunastream/runs';
const MOST_ARCHIVE_BYTES = 256 * 2 ** 20;

/**
 * Backs up all runs of a trainer's container, loses them, and brings them back, with the commands of docs/operations.md.
 * `folder` is where the container's runs lie on this machine.
 */
export async function loseAndRestore(container, folder) {
  const archive = await output('podman', ['exec', container, 'tar', '-C', RUNS, '-cz', '.'], {
    encoding: 'buffer',
    maxBuffer: MOST_ARCHIVE_BYTES,
  });
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  const restoring = spawn('podman', ['exec', '--interactive', container, 'tar', '-C', RUNS, '-xz'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  restoring.stdin.end(archive);
  const [code] = await new Promise((resolve, reject) => {
    restoring.once('error', reject).once('close', (...ended) => resolve(ended));
  });
  assert(code === 0, `restoring must succeed, got exit code ${code}`);
}
