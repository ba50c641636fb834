// `npm run test:tensorflow`: builds the module of the tensorflow engine against TensorFlow for CPUs and runs on it the suites that all
// engines share. TensorFlow is the package that LUNASTREAM_TENSORFLOW names, else what pip installs into out/tensorflow. Where none is
// to be had, or no compiler, it is skipped by name.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installed, root, run, say } from '../workflow/process.mjs';
import { setUp } from '../workflow/setup.mjs';

const PACKAGE = 'tensorflow-cpu==2.21.0';
const SUITES = ['engine-behaviour', 'golden-learning', 'golden-luna-model', 'golden-small-model'];
/** `tensorflow, its network on the simd backend of tfjs` is another engine, and in `npm test`. */
const TITLE = 'tensorflow(?!,)';

const folder = join(root, 'out/tensorflow');
const venv = join(folder, 'venv');
const modules = join(folder, 'node_modules');

function skip(reason) {
  say(`skipped: the tensorflow engine on TensorFlow itself: ${reason}`);
  process.exit(0);
}

/** Exit code 0, and nothing is there that could not run. */
const works = (command, args) =>
  run(command, args, { quiet: true }).then(
    ({ code }) => code === 0,
    () => false,
  );

function installedTensorflow() {
  const lib = join(venv, 'lib');
  const versions = existsSync(lib) ? readdirSync(lib) : [];
  return versions
    .map((version) => join(lib, version, 'site-packages/tensorflow'))
    .find((path) => existsSync(path));
}

async function findTensorflow() {
  const named = process.env.LUNASTREAM_TENSORFLOW ?? installedTensorflow();
  if (named !== undefined) return named;
  mkdirSync(folder, { recursive: true });
  if (!(await works('python3', ['-m', 'venv', venv]))) {
    skip('python3 makes no virtual environment (Debian: apt-get install python3-venv)');
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--retries', '0', PACKAGE];
  if (!(await works(join(venv, 'bin/python'), pip))) skip(`pip offers no ${PACKAGE}`);
  return installedTensorflow() ?? skip(`${PACKAGE} has no folder tensorflow`);
}

await setUp();
if (!(await works(process.env.CXX ?? 'g++', ['--version']))) {
  skip('no C++ compiler (Debian: apt-get install g++)');
}
const tensorflow = await findTensorflow();
const build = ['tools/tensorflow-engine/build.mjs', '--tensorflow', tensorflow, '--into', modules];
const built = await run(process.execPath, build);
if (built.code !== 0) process.exit(built.code);

const scratch = mkdtempSync(join(tmpdir(), 'lunastream-tensorflow-report-'));
const report = join(scratch, 'vitest.json');
const env = {
  ...process.env,
  LUNASTREAM_TENSORFLOW_MODULES: modules,
  // The module takes the repository's tfjs: there must be one of it in a process.
  NODE_PATH: join(root, 'node_modules'),
  TF_CPP_MIN_LOG_LEVEL: '2',
};
const { code } = await run(
  process.execPath,
  [
    ...[installed('vitest/vitest.mjs'), 'run', '--config', 'tools/tensorflow-engine/vitest.config.mjs'],
    ...['--dir', 'libs/engine/src', '--testNamePattern', TITLE],
    ...['--reporter', 'default', '--reporter', 'json', '--outputFile.json', report, ...SUITES],
  ],
  { env },
);
const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, 'utf8'));
rmSync(scratch, { recursive: true });
say(`tensorflow engine: ${passed} passed, ${failed} failed`);
// Suites of an engine that does not start are skipped: that is no success here.
process.exitCode = code === 0 && passed === 0 ? 1 : code;
