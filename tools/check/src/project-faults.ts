/**
 * What package.json and tsconfig.json of a project must say so that npm, Nx and `tsc --build` agree with its imports:
 * npm would find any package of the workspace without being told, and hide what is missing until a package is used
 * alone or built first.
 */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { readPackageImports } from './source-imports.ts';
import { readJson, SOURCE_CONDITION, type Manifest, type Project } from './workspace.ts';

const WORKSPACE_SCOPE = '@lunastream/';
const TESTING_PACKAGE = '@lunastream/testing';

interface LockFile {
  readonly packages: Readonly<Record<string, Pick<Manifest, 'dependencies' | 'devDependencies'>>>;
}

interface StatedPackages {
  readonly required: readonly string[];
  readonly allowed: readonly string[];
}

/** Packages that a project uses where they are installed: optional dependencies and optional peers, in no other list. */
function optionalPackages({
  manifest: { optionalDependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} },
}: Project): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional === true);
  return [...Object.keys(optionalDependencies), ...peers];
}

/**
 * What each list of a project must and may state. `@lunastream/testing` is for tests, wherever it is used; external
 * packages that only tests use may come from the root's devDependencies instead.
 */
function wantedDependencies(root: string, project: Project) {
  const { production, testOnly } = readPackageImports(root, project);
  const optional = optionalPackages(project);
  const required = [...production].filter((name) => name !== TESTING_PACKAGE && !optional.includes(name));
  const allowed = [...production, ...testOnly].filter((name) => !required.includes(name));
  return {
    dependencies: { required, allowed: required },
    devDependencies: { required: allowed.filter((name) => name.startsWith(WORKSPACE_SCOPE)), allowed },
  } satisfies Record<string, StatedPackages>;
}

/** Packages of types are used by the compiler only: no import names them. */
function isUsedWithoutImport(name: string): boolean {
  return name.startsWith('@types/');
}

/**
 * A sentence per package that the sources import and package.json does not state in the right list, and per package
 * that it states there and nothing imports.
 */
export function dependencyFaults(root: string, project: Project): string[] {
  const wanted = wantedDependencies(root, project);
  return (['dependencies', 'devDependencies'] as const).flatMap((list) => {
    const { required, allowed } = wanted[list];
    const stated = Object.keys(project.manifest[list] ?? {});
    const missing = required.filter((name) => !stated.includes(name));
    const unused = stated.filter((name) => !allowed.includes(name) && !isUsedWithoutImport(name));
    return [
      ...missing.map((name) => `${list} of ${project.folder} must name ${name}, which its sources import`),
      ...unused.map((name) => `${list} of ${project.folder} must not name ${name}: no source needs it there`),
    ];
  });
}

/** A sentence per project that the sources import and tsconfig.json does not refer to, and the other way round. */
export function referenceFaults(root: string, project: Project, projects: readonly Project[]): string[] {
  const { production, testOnly } = readPackageImports(root, project);
  const imported = projects
    .filter(({ manifest }) => production.has(manifest.name) || testOnly.has(manifest.name))
    .map(({ folder }) => folder);
  const tsconfigPath = join(root, project.folder, 'tsconfig.json');
  if (!existsSync(tsconfigPath)) return imported.map((folder) => `${project.folder} must refer to ${folder}`);
  const { references = [] } = readJson<{ references?: { path: string }[] }>(tsconfigPath);
  const referred = references.map(({ path }) => posix.join(project.folder, path));
  return [
    ...imported
      .filter((folder) => !referred.includes(folder))
      .map(
        (folder) => `tsconfig.json of ${project.folder} must refer to ${folder}, which its sources import`,
      ),
    ...referred
      .filter((folder) => !imported.includes(folder))
      .map(
        (folder) => `tsconfig.json of ${project.folder} must not refer to ${folder}: no source imports it`,
      ),
  ];
}

/** A sentence when the root's tsconfig.json, which `tsc --build` starts from, leaves the project out. */
export function rootReferenceFaults(root: string, { folder }: Project): string[] {
  if (!existsSync(join(root, folder, 'tsconfig.json'))) return [];
  const { references } = readJson<{ references: { path: string }[] }>(join(root, 'tsconfig.json'));
  return references.some(({ path }) => posix.normalize(path) === folder)
    ? []
    : [`tsconfig.json of the workspace must refer to ${folder}`];
}

/** A sentence when the project lacks what the import rules go by: one type tag, and for services the project type. */
export function tagFaults({ folder, manifest }: Project): string[] {
  const types = (manifest.nx?.tags ?? []).filter((tag) => tag.startsWith('type:'));
  const faults: string[] = [];
  if (types.length !== 1) faults.push(`${folder} must have one type: tag, got [${types.join(', ')}]`);
  const isService = folder.startsWith('services/');
  if (isService !== types.includes('type:service')) {
    faults.push(`${folder} must have the tag type:service exactly when it lies in services/`);
  }
  if (isService && manifest.nx?.projectType !== 'application') {
    faults.push(`${folder} must have the projectType application, or other projects may import it`);
  }
  return faults;
}

/** A sentence per source that the exports of package.json name and that is not there. */
export function exportFaults(root: string, { folder, manifest }: Project): string[] {
  return Object.entries(manifest.exports ?? {})
    .map(
      ([entry, target]) => [entry, typeof target === 'string' ? target : target[SOURCE_CONDITION]] as const,
    )
    .filter(([, path]) => path === undefined || !existsSync(join(root, folder, path)))
    .map(([entry, path]) => `exports of ${folder} must name a file for "${entry}", got ${path ?? 'none'}`);
}

/** A sentence per list of dependencies in which package-lock.json differs: `npm ci` refuses to install then. */
export function lockFaults(root: string, { folder, manifest }: Project): string[] {
  const locked = readJson<LockFile>(join(root, 'package-lock.json')).packages[folder];
  const sorted = (list: Readonly<Record<string, string>> = {}) => JSON.stringify(Object.entries(list).sort());
  return (['dependencies', 'devDependencies'] as const)
    .filter((list) => sorted(manifest[list]) !== sorted(locked?.[list]))
    .map((list) => `package-lock.json must state the ${list} of ${folder}: run npm install`);
}
