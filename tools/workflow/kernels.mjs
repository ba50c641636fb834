// Compiles the AssemblyScript of every `libs/*/kernels` to `build/kernels.wasm` beside it, where it changed. setup.mjs
// calls it; `asconfig.json` in each folder holds the compiler's options.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed, root, run } from './process.mjs';

const compilerVersion = () =>
  JSON.parse(readFileSync(installed('assemblyscript/package.json'), 'utf8')).version;

function kernelFolders() {
  return readdirSync(join(root, 'libs'))
    .map((name) => join(root, 'libs', name))
    .filter((folder) => existsSync(join(folder, 'kernels/asconfig.json')));
}

/** Hash of everything that the compiler reads. */
function sourceHash(folder) {
  const hash = createHash('sha256').update(compilerVersion());
  for (const name of readdirSync(join(folder, 'kernels')).sort()) {
    hash.update(name).update(readFileSync(join(folder, 'kernels', name)));
  }
  return hash.digest('hex');
}

/** Compiles what changed. Resolves with the code and output of the first compiler that fails, or code 0. */
export async function buildKernels() {
  for (const folder of kernelFolders()) {
    const stampPath = join(folder, 'build/kernels.sha256');
    const hash = sourceHash(folder);
    if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash) continue;
    const compiled = await run(
      process.execPath,
      [
        installed('assemblyscript/bin/asc.js'),
        join(folder, 'kernels/index.ts'),
        '--config',
        join(folder, 'kernels/asconfig.json'),
        '--outFile',
        join(folder, 'build/kernels.wasm'),
      ],
      { quiet: true },
    );
    if (compiled.code !== 0) return compiled;
    writeFileSync(stampPath, hash);
  }
  return { code: 0, output: '' };
}
