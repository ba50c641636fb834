// Installs and builds what is not up to date. `npm run setup` runs it alone; the other verbs run it first.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildKernels } from './kernels.mjs';
import { installed, root, run, say } from './process.mjs';

const OLDEST_NODE = [20, 19];
/** Holds the hash of the lock file that node_modules was installed from. */
const stampPath = join(root, 'node_modules/.lunastream-installed');

function assertNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  say(
    `Cannot set up lunastream: Node must be ${OLDEST_NODE.join('.')} or later, got ${process.versions.node}`,
  );
  process.exit(2);
}

async function step(name, work) {
  const startMs = performance.now();
  const { code, output } = await work();
  if (code !== 0) {
    say(output);
    say(`Cannot set up lunastream: ${name} failed with code ${code}, see above`);
    process.exit(code);
  }
  say(`${name}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

/** Hash of everything that `npm ci` installs from. */
function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.versions.modules)
    .digest('hex');
}

/** Installs when the lock file changed, then compiles what changed. Ends the process when either fails. */
export async function setUp() {
  assertNodeVersion();
  const hash = lockHash();
  if (!existsSync(stampPath) || readFileSync(stampPath, 'utf8') !== hash) {
    await step('install', () => run('npm', ['ci', '--no-audit', '--no-fund'], { quiet: true }));
    writeFileSync(stampPath, hash);
  }
  await step('kernels', buildKernels);
  await step('build', () =>
    run(process.execPath, [installed('typescript/bin/tsc'), '--build'], { quiet: true }),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await setUp();
