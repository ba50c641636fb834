import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, say } from '../workflow/process.mjs';
import { imageName } from './build-images.mjs';
import { assert, output } from './programs.mjs';
import { assertTrained, freePort, lunastream, trainOn, withScratch } from './scratch.mjs';

const FILE = 'deploy/images/trainer-tensorflow.Containerfile';
const TARGET = 'trainer-tensorflow';

/** Builds the trainer with the tensorflow engine from the TensorFlow package at LUNASTREAM_TENSORFLOW, and trains in it. */
export async function trainWithTensorflow() {
  const tensorflow = process.env.LUNASTREAM_TENSORFLOW;
  if (tensorflow === undefined) {
    say('skipped: LUNASTREAM_TENSORFLOW names no TensorFlow package');
    return;
  }
  const context = await mkdtemp(join(tmpdir(), 'lunastream-images-tensorflow-'));
  try {
    const made = await run(process.execPath, [
      'tools/tensorflow-engine/build.mjs',
      ...['--tensorflow', tensorflow, '--copy', '--into', context],
    ]);
    assert(made.code === 0, 'the module of the tensorflow engine must be built');
    await output('buildah', [
      ...['build', '--isolation=chroot', '--layers', '--force-rm', `--file=${FILE}`],
      ...[`--build-arg=TRAINER=${imageName('trainer')}`, `--tag=${imageName(TARGET)}`, context],
    ]);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  await withScratch(({ data, runs }) => train(data, runs));
}

/** One container that reads, augments and trains. */
async function train(data, runs) {
  const address = `127.0.0.1:${await freePort()}`;
  const environment = {
    TRAINER_LISTEN: address,
    TRAINER_LOCAL_DATASETS: 'default=/data',
    TRAINER_LOCAL_STORE_FOLDER: '/tmp/chunks',
    TRAINER_LOCAL_COPY_FOLDER: '/tmp/volumes',
    LUNASTREAM_PROMETHEUS_LISTEN: 'off',
  };
  const id = await output('podman', [
    ...['run', '--detach', '--log-driver=k8s-file', '--network=host', '--read-only', '--tmpfs=/tmp'],
    ...['--cap-drop=all', '--security-opt=no-new-privileges'],
    ...Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`),
    ...[`--volume=${data}:/data:ro`, `--volume=${runs}:/var/lib/lunastream/runs`, imageName(TARGET)],
  ]);
  try {
    say(await trainOn(address, (...args) => lunastream(...args, ...engineOf(args))));
    const run = await assertTrained(runs);
    const { engine } = JSON.parse(await readFile(join(runs, run, 'run.json'), 'utf8'));
    assert(engine.name === 'tensorflow', `the run must be by tensorflow, got ${engine.name}`);
    say(`${engine.name}: ${engine.device}`);
  } catch (error) {
    say(await output('podman', ['logs', id.trim()]));
    throw error;
  } finally {
    await output('podman', ['rm', '--force', '--time=20', id.trim()]);
  }
}

const engineOf = ([command]) => (command === 'train' ? ['--engine', 'tensorflow'] : []);
