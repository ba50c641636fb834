// Puts together what one project needs at run time, and nothing else: `node assemble.mjs PROJECT FOLDER` (for example
// services/trainer), in a workspace that is built. A pruned install rather than a bundle: lmdb loads a native addon, threads and WebAssembly kernels are
// found by their package's name, and stack traces keep the names of files.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNeeded } from './needed-files.mjs';

const workspace = fileURLToPath(new URL('../../', import.meta.url));
/** The images' C library; packages with native addons bring theirs for others, too. */
const PLATFORM = { os: 'linux', libc: 'glibc' };

function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** npm ends with an error when a command fails; its output is shown as it comes. */
function npm(cwd, ...args) {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });
}

/** Folders of the workspace's projects, relative to it. */
function projectFolders() {
  return readManifest(workspace).workspaces.flatMap((pattern) => {
    const parent = pattern.replace(/\/\*$/, '');
    return readdirSync(join(workspace, parent))
      .map((name) => `${parent}/${name}`)
      .filter((folder) => existsSync(join(workspace, folder, 'package.json')));
  });
}

/** Installs what `project` depends on, our own packages as links to their folders. */
function install(project, target) {
  mkdirSync(target, { recursive: true });
  for (const path of [
    'package.json',
    'package-lock.json',
    ...projectFolders().map((folder) => `${folder}/package.json`),
  ]) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    cpSync(join(workspace, path), join(target, path));
  }
  npm(
    target,
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `--workspace=${project}`,
    ...Object.entries(PLATFORM).map(([name, value]) => `--${name}=${value}`),
  );
  const sbom = npm(
    target,
    'sbom',
    '--omit=dev',
    '--sbom-format=cyclonedx',
    '--package-lock-only',
    `--workspace=${project}`,
  );
  writeFileSync(join(target, 'sbom.cdx.json'), sbom);
}

/** The folders that the links of the install lead to, relative to it. */
function linkedFolders(target) {
  const links = join(target, 'node_modules/@lunastream');
  return readdirSync(links).map((name) => relative(realpathSync(target), realpathSync(join(links, name))));
}

/** Copies the compiled code and other exported files of our packages; removes the manifests of those not needed. */
function addOwnPackages(target) {
  const needed = linkedFolders(target);
  for (const folder of projectFolders()) {
    if (!needed.includes(folder)) {
      rmSync(join(target, folder), { recursive: true });
      continue;
    }
    const { exports = {}, bin = {} } = readManifest(join(workspace, folder));
    const files = [
      'dist/src',
      ...[...Object.values(exports), ...Object.values(bin)].filter((entry) => typeof entry === 'string'),
    ];
    for (const path of files) {
      const source = join(workspace, folder, path);
      if (existsSync(source)) cpSync(source, join(target, folder, path), { recursive: true });
    }
  }
}

/** Removes what is never loaded: types, source maps, documents, tests, builds for other platforms. */
function prune(folder, root = folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) prune(path, root);
    else if (!entry.isSymbolicLink() && !isNeeded(relative(root, path))) rmSync(path);
  }
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}

const [project, target] = process.argv.slice(2);
if (project === undefined || target === undefined || !existsSync(join(workspace, project))) {
  throw new Error(
    `Cannot assemble a service: use assemble.mjs SERVICE FOLDER, got ${process.argv.slice(2).join(' ')}`,
  );
}
install(project, target);
addOwnPackages(target);
rmSync(join(target, 'package-lock.json'));
prune(target);
// A file that was needed after all fails the build, not the first start.
const { bin, exports: entries } = readManifest(join(target, project));
execFileSync(
  process.execPath,
  [join(target, project, bin?.lunastream ?? entries['./main'].default), '--help'],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
