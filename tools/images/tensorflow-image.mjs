import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../workflow/process.mjs';
import { imageName, overBase } from './build-images.mjs';
import { trainWithEngine, withTrainer } from './one-container.mjs';
import { assert, output } from './programs.mjs';
import { withScratch } from './scratch.mjs';

const FILE = 'deploy/images/trainer-tensorflow.Containerfile';
const TARGET = 'trainer-tensorflow';

/** Builds the trainer with the tensorflow engine from the TensorFlow package at LUNASTREAM_TENSORFLOW, and trains in it. */
export async function trainWithTensorflow() {
  const tensorflow = process.env.LUNASTREAM_TENSORFLOW;
  if (tensorflow === undefined) return ['skipped: LUNASTREAM_TENSORFLOW names no TensorFlow package'];
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
  const engine = await withScratch(({ data, runs }) =>
    withTrainer(TARGET, { data, runs }, (address) => trainWithEngine(address, runs, 'tensorflow')),
  );
  assert(engine.name === 'tensorflow', `the run must be by tensorflow, got ${engine.name}`);
  return [`${engine.name}: ${engine.device}`, await overBase(TARGET)];
}
