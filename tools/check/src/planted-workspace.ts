/**
 * A copy of the workspace's skeleton, in which faults can be planted without a trace in the repository: the real
 * configuration, every project's real package.json and tsconfig.json, no source but the planted ones. Nx makes its
 * project graph of the copy and lints it as it would lint the real one.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runProgram } from './run-program.ts';
import { readJson, readProjects } from './workspace.ts';

/** What `nx lint` and its rules read at the workspace's root. */
const ROOT_FILES = [
  'eslint.config.mjs',
  'nx.json',
  'package-lock.json',
  'package.json',
  'tsconfig.base.json',
  'tsconfig.json',
];
const PROJECT_FILES = ['package.json', 'tsconfig.json'];

interface LintedFile {
  readonly filePath: string;
  readonly messages: readonly { readonly ruleId: string | null; readonly message: string }[];
}

/** What a rule said about a file. */
export interface LintMessage {
  readonly rule: string | null;
  readonly message: string;
}

function writeInto(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** Installed packages by link, the workspace's own linked to the copy: Nx resolves imports through node_modules. */
function linkPackages(root: string, copy: string): void {
  const installed = join(root, 'node_modules');
  mkdirSync(join(copy, 'node_modules/@lunastream'), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name === '@lunastream' || (name.startsWith('.') && name !== '.bin')) continue;
    symlinkSync(join(installed, name), join(copy, 'node_modules', name));
  }
  for (const { folder, manifest } of readProjects(copy)) {
    symlinkSync(join(copy, folder), join(copy, 'node_modules', manifest.name));
  }
}

/** Copies the skeleton of the workspace at `root` into the empty folder `copy` and adds `files`, text by path. */
export function plantWorkspace(root: string, copy: string, files: Readonly<Record<string, string>>): void {
  for (const name of ROOT_FILES) copyFileSync(join(root, name), join(copy, name));
  for (const { folder } of readProjects(root)) {
    mkdirSync(join(copy, folder), { recursive: true });
    for (const name of PROJECT_FILES) {
      const source = join(root, folder, name);
      if (existsSync(source)) copyFileSync(source, join(copy, folder, name));
    }
  }
  for (const [path, text] of Object.entries(files)) writeInto(copy, path, text);
  linkPackages(root, copy);
}

/**
 * Makes Nx take `name` for an installed package of the copy: rules on external packages speak about those only, and an
 * import of any other fails to compile anyway. Nothing happens when it is installed.
 */
export function installEmptyPackage(copy: string, name: string): void {
  const path = `node_modules/${name}`;
  if (existsSync(join(copy, path))) return;
  const manifest = { name, version: '1.0.0' };
  writeInto(copy, `${path}/package.json`, JSON.stringify(manifest));
  const lockPath = join(copy, 'package-lock.json');
  const lock = readJson<{ packages: Record<string, unknown> }>(lockPath);
  writeFileSync(
    lockPath,
    JSON.stringify({ ...lock, packages: { ...lock.packages, [path]: { version: manifest.version } } }),
  );
}

/**
 * Runs the lint target of `projects` (package names) in the copy through Nx.
 * Returns what was said about each file, by path relative to the copy; files without a message have an empty list.
 * @throws when Nx ends without a report of every project.
 */
export async function lintThroughNx(
  copy: string,
  projects: readonly string[],
): Promise<ReadonlyMap<string, readonly LintMessage[]>> {
  const nx = join(copy, 'node_modules/nx/dist/bin/nx.js');
  const args = ['run-many', '--target', 'lint', '--projects', projects.join(), '--output-style', 'static'];
  const { stdout, output } = await runProgram(process.execPath, [nx, ...args, '--format', 'json'], {
    cwd: copy,
  });
  const reports = stdout.split('\n').filter((line) => line.startsWith('[{"filePath"'));
  if (reports.length !== projects.length) {
    throw new Error(`Cannot lint ${projects.join()}: Nx reported ${reports.length} of them\n${output}`);
  }
  return new Map(
    reports
      .flatMap((report) => JSON.parse(report) as LintedFile[])
      .map(({ filePath, messages }) => [
        relative(copy, filePath),
        messages.map(({ ruleId, message }) => ({ rule: ruleId, message })),
      ]),
  );
}
