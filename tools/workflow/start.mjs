// `npm start`: installs, builds, makes data, then trains on it through all three services.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, say } from './process.mjs';
import { setUp } from './setup.mjs';

const DATA_FOLDER = '.lunastream/demo-data';
const cli = join(root, 'tools/cli/bin/lunastream.mjs');

/** Real lung CTs with simulated nodules; made once, then reused. */
const PHANTOM = [
  'data',
  'phantom',
  DATA_FOLDER,
  '--background',
  'real',
  '--seed',
  '1',
  '--scans',
  '16',
  '--nodules',
  '12',
  '--imbalance',
  '40',
];

/** Small enough for two cores and a few minutes; flags after `--` are added and win. */
const TRAIN = [
  'train',
  '--data',
  DATA_FOLDER,
  '--balanced',
  '--augmented',
  '--epochs',
  '4',
  '--epoch-length',
  '1600',
  '--batch-size',
  '8',
  '--chunk',
  '32x48x48',
  '--comment',
  'npm-start',
];

/** Runs the command with the terminal as its own. Ctrl-C reaches it directly; this process waits for its end. */
function lunastream(args) {
  process.on('SIGINT', () => undefined);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: root, stdio: 'inherit' });
    process.once('SIGTERM', () => child.kill('SIGTERM'));
    child.once('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });
}

await setUp();
say(`data: real lung CTs with simulated nodules in ${DATA_FOLDER}`);
let code = await lunastream(PHANTOM);
if (code === 0) code = await lunastream([...TRAIN, ...process.argv.slice(2)]);
process.exitCode = code;
