import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Files of the checkout at `root` that git keeps or would add (not the ignored ones), relative to it and sorted;
 * undefined where there is no git or `root` is no checkout.
 */
export function listTrackedFiles(root: string): string[] | undefined {
  if (!existsSync(join(root, '.git'))) return undefined;
  let listed: string;
  try {
    listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 16 * 2 ** 20,
    });
  } catch {
    return undefined;
  }
  // A file that was deleted but not yet from the index is still listed.
  return listed
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .sort();
}

// As far as git itself looks for a NUL byte to tell binary from text.
const SNIFFED_BYTES = 8000;

/** The text of a file, or undefined when it is binary. */
export function readText(path: string): string | undefined {
  const bytes = readFileSync(path);
  return bytes.subarray(0, SNIFFED_BYTES).includes(0) ? undefined : bytes.toString('utf8');
}
