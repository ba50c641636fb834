import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { say } from '../workflow/process.mjs';
import { imageName } from './build-images.mjs';
import { output } from './programs.mjs';
import { assertTrained, freePort, lunastream, trainOn } from './scratch.mjs';

/** A trainer that reads, augments and trains in one process: nothing else must run beside it. */
const SETTINGS = {
  TRAINER_LOCAL_DATASETS: 'default=/data',
  TRAINER_LOCAL_STORE_FOLDER: '/tmp/chunks',
  TRAINER_LOCAL_COPY_FOLDER: '/tmp/volumes',
  LUNASTREAM_PROMETHEUS_LISTEN: 'off',
};

/**
 * Runs the image of a trainer, confined as a platform would, while `use` is given its address. Its log is shown where `use` fails.
 * @param target of the image
 * @param folders `data` and `runs` on this machine, of the images' user
 * @param more `environment` and `mounts` of the container beyond those
 */
export async function withTrainer(target, { data, runs }, use, { environment = {}, mounts = [] } = {}) {
  const address = `127.0.0.1:${await freePort()}`;
  const variables = { ...SETTINGS, TRAINER_LISTEN: address, ...environment };
  const volumes = [`${data}:/data:ro`, `${runs}:/var/lib/lunastream/runs`, ...mounts];
  const started = await output('podman', [
    ...['run', '--detach', '--log-driver=k8s-file', '--network=host', '--read-only', '--tmpfs=/tmp'],
    ...['--cap-drop=all', '--security-opt=no-new-privileges'],
    ...Object.entries(variables).map(([name, value]) => `--env=${name}=${value}`),
    ...volumes.map((volume) => `--volume=${volume}`),
    imageName(target),
  ]);
  const id = started.trim();
  try {
    return await use(address);
  } catch (error) {
    say(await output('podman', ['logs', id]));
    throw error;
  } finally {
    await output('podman', ['rm', '--force', '--time=20', id]);
  }
}

/** Trains on the trainer at `address` with `--engine engine` and returns what its run says of its engine. */
export async function trainWithEngine(address, runs, engine) {
  const flagsOf = ([command]) => (command === 'train' ? ['--engine', engine] : []);
  say(await trainOn(address, (...args) => lunastream(...args, ...flagsOf(args))));
  const run = await assertTrained(runs);
  return JSON.parse(await readFile(join(runs, run, 'run.json'), 'utf8')).engine;
}
