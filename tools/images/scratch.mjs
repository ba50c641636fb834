import { chown, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../workflow/process.mjs';
import { assert, output } from './programs.mjs';

/** The user of the images. */
const USER = 1000;
const lunastreamProgram = join(root, 'tools/cli/bin/lunastream.mjs');

/** Flags of a run that takes seconds: four synthetic scans, chunks of 16 voxels. */
const SMALL_RUN = [
  '--balanced',
  '--augmented',
  '--chunk',
  '16x16x16',
  '--epoch-length',
  '24',
  '--batch-size',
  '8',
  '--epochs',
  '1',
  '--seed',
  '5',
  '--quiet',
];

export function lunastream(...args) {
  return output(process.execPath, [lunastreamProgram, ...args]);
}

/** A folder with data, certificates and a place for runs, all of the images' user; removed after `use`. */
export async function withScratch(use) {
  const folder = await mkdtemp(join(tmpdir(), 'lunastream-images-'));
  try {
    const data = join(folder, 'data');
    await lunastream(
      'data',
      'phantom',
      data,
      '--background',
      'synthetic',
      '--scans',
      '4',
      '--nodules',
      '3',
      '--imbalance',
      '3',
      '--shape',
      '40x96x96',
      '--seed',
      '11',
    );
    const tls = join(folder, 'tls');
    await lunastream('dev-ca', '--out', tls);
    const runs = join(folder, 'runs');
    await mkdir(runs);
    for (const path of [folder, data, tls, runs]) await giveToUser(path);
    return await use({ folder, data, tls, runs });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes a folder and all below it the images' user's. */
export async function giveToUser(folder) {
  await chown(folder, USER, USER);
  for (const name of await readdir(folder, { recursive: true })) await chown(join(folder, name), USER, USER);
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Checks that the only run below `folder` has scores of training and validation of so many epochs; resolves with its id. */
export async function assertTrained(folder, count = 1) {
  const names = await readdir(folder, { recursive: true });
  const epochs = names.filter((name) => name.endsWith('epochs.jsonl'));
  assert(epochs.length === 1, `one run must be below ${folder}, got ${epochs.join(', ') || 'none'}`);
  const lines = (await readFile(join(folder, epochs[0]), 'utf8')).trimEnd().split('\n').map(JSON.parse);
  assert(
    lines.map(({ epoch, split }) => `${epoch} ${split}`).join() ===
      Array.from({ length: count }, (_, index) => `${index + 1} trn,${index + 1} val`).join(),
    `${count} epoch(s) must have two lines each, got ${lines.length}`,
  );
  return dirname(epochs[0]);
}

/** A container that is asked for may take a while on a busy machine. */
const START_TIMEOUT_MS = 120_000;

/** Starts a run on a trainer as soon as it answers, and shows it to its end; `command` runs our command line. */
export async function trainOn(trainer, command, ...flags) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await command('runs', '--trainer', trainer, ...flags);
      break;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  return command('train', '--trainer', trainer, ...SMALL_RUN, ...flags);
}
