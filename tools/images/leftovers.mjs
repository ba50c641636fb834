import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { output } from './programs.mjs';

/** Lists of what would outlive a step that does not tidy up, by the program that knows. */
const LISTS = {
  container: ['podman', ['ps', '--all', '--quiet', '--no-trunc']],
  pod: ['podman', ['pod', 'ps', '--quiet', '--no-trunc']],
  volume: ['podman', ['volume', 'ls', '--quiet']],
  network: ['podman', ['network', 'ls', '--quiet']],
  'build container': ['buildah', ['containers', '--quiet']],
};

/** Every container, pod, volume, network, mount and scratch folder there is; images stay, as the cache of the next build. */
export async function leftovers() {
  const found = new Set();
  for (const [kind, [program, args]] of Object.entries(LISTS)) {
    const text = await output(program, args).catch(() => '');
    for (const name of text.split('\n').filter(Boolean)) found.add(`${kind} ${name}`);
  }
  for (const line of (await readFile('/proc/self/mounts', 'utf8')).split('\n')) {
    const [, path = ''] = line.split(' ');
    if (/\/containers\/.*\/merged$/.test(path)) found.add(`mount ${path}`);
  }
  for (const name of await readdir(tmpdir())) {
    if (name.startsWith('lunastream-images-')) found.add(`folder ${name}`);
  }
  return found;
}
