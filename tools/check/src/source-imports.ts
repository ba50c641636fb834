import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import { listSources, type Manifest, type Project } from './workspace.ts';

/** Projects that only a test run executes: all of their sources are tests or help them. */
const TEST_PROJECTS = ['tools/check', 'tools/e2e', 'tools/manifests'];

/** A file of a package that is found by name and then read. */
const RESOLVED = /\brequire\.resolve\('([^']+)'\)/g;

/** Packages that `manifest` states and `text` names in quotes: modules of theirs are loaded by paths put together there. */
function namedPackages(text: string, { dependencies = {}, devDependencies = {} }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...devDependencies }).filter((name) => text.includes(`'${name}'`));
}

/** Packages that a project's sources import, by what the importing file is for. */
export interface PackageImports {
  /** From files that run in production. */
  readonly production: ReadonlySet<string>;
  /** From tests and their helpers only. */
  readonly testOnly: ReadonlySet<string>;
}

/** `@scope/name` or `name` of an import specifier; undefined for relative files and Node's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || isBuiltin(specifier)) return undefined;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

function isTestSource({ folder }: Project, path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/') || TEST_PROJECTS.includes(folder);
}

/**
 * What the sources of a project import: static and dynamic imports, type imports, re-exports, `require.resolve`, and
 * stated packages by their quoted name.
 */
export function readPackageImports(root: string, project: Project): PackageImports {
  const production = new Set<string>();
  const tests = new Set<string>();
  for (const path of listSources(root, project)) {
    const text = readFileSync(join(root, project.folder, path), 'utf8');
    const imported = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
    const resolved = [...text.matchAll(RESOLVED)].map(([, specifier]) => specifier!);
    for (const fileName of [...imported, ...resolved, ...namedPackages(text, project.manifest)]) {
      const name = packageOf(fileName);
      if (name !== undefined && name !== project.manifest.name)
        (isTestSource(project, path) ? tests : production).add(name);
    }
  }
  return { production, testOnly: new Set([...tests].filter((name) => !production.has(name))) };
}
