// Puts together what one project needs at run time, and nothing else: `node assemble.mjs PROJECT FOLDER [PACKAGE...]` (for example
// services/trainer), in a workspace that is built. The packages are those of VARIANT_PACKAGES that come along. A pruned install rather than a
// bundle: lmdb loads a native addon, threads and WebAssembly kernels are found by their package's name, and stack traces keep the names of files.
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
import { installedPackages, onlyInstalled } from './sbom.mjs';

const workspace = fileURLToPath(new URL('../../', import.meta.url));
/** The images' C library; packages with native addons bring theirs for others, too. */
const PLATFORM = { os: 'linux', libc: 'glibc' };
/** Optional dependencies that only the image of a variant has: Dawn, which no machine without a GPU has a use for. */
const VARIANT_PACKAGES = ['webgpu'];

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

/** Installs what `project` depends on, our own packages as links to their folders, without the variants' packages but for `wanted`. */
function install(project, target, wanted) {
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
  for (const name of VARIANT_PACKAGES.filter((each) => !wanted.includes(each)))
    rmSync(join(target, 'node_modules', name), { recursive: true, force: true });
}

/** Lists what is there, by npm, in CycloneDX's format. */
function listPackages(project, target) {
  const sbom = npm(
    target,
    'sbom',
    '--sbom-format=cyclonedx',
    '--package-lock-only',
    `--workspace=${project}`,
  );
  const lock = JSON.parse(readFileSync(join(target, 'node_modules/.package-lock.json'), 'utf8'));
  const installed = installedPackages(lock.packages, (path) => existsSync(join(target, path)));
  writeFileSync(join(target, 'sbom.cdx.json'), JSON.stringify(onlyInstalled(JSON.parse(sbom), installed)));
}

/** The folders of `project` and of those of our packages that it needs, relative to the workspace. */
function neededFolders(project) {
  const folderOf = new Map(
    projectFolders().map((folder) => [readManifest(join(workspace, folder)).name, folder]),
  );
  const needed = new Set([project]);
  // A set also visits what is added to it meanwhile.
  for (const folder of needed) {
    for (const name of Object.keys(readManifest(join(workspace, folder)).dependencies ?? {}))
      if (folderOf.has(name)) needed.add(folderOf.get(name));
  }
  return needed;
}

/** Removes links to our packages that only tests need: npm makes them whatever is left out. */
function removeOtherLinks(target, needed) {
  const links = join(target, 'node_modules/@lunastream');
  for (const name of readdirSync(links)) {
    const folder = relative(realpathSync(target), realpathSync(join(links, name)));
    if (!needed.has(folder)) rmSync(join(links, name));
  }
}

/** Copies the compiled code and other exported files of our packages; removes the manifests of those not needed. */
function addOwnPackages(project, target) {
  const needed = neededFolders(project);
  removeOtherLinks(target, needed);
  for (const folder of projectFolders()) {
    if (!needed.has(folder)) {
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

const [project, target, ...wanted] = process.argv.slice(2);
if (
  project === undefined ||
  target === undefined ||
  !existsSync(join(workspace, project)) ||
  !wanted.every((name) => VARIANT_PACKAGES.includes(name))
) {
  throw new Error(
    `Cannot assemble a service: use assemble.mjs SERVICE FOLDER [${VARIANT_PACKAGES.join('|')}], got ${process.argv.slice(2).join(' ')}`,
  );
}
install(project, target, wanted);
addOwnPackages(project, target);
listPackages(project, target);
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
