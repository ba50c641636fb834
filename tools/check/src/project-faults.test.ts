import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import {
  dependencyFaults,
  exportFaults,
  lockFaults,
  referenceFaults,
  rootReferenceFaults,
  tagFaults,
} from './project-faults.ts';
import { readProjects, type Project } from './workspace.ts';

const projects = readProjects(workspaceRoot);

describe('every project of the workspace', () => {
  const byFolder = projects.map((project) => [project.folder, project] as const);

  it.each(byFolder)('%s states the packages it imports and no others', (_, project) => {
    expect(dependencyFaults(workspaceRoot, project)).toEqual([]);
  });

  it.each(byFolder)('%s refers to the projects it imports and no others', (_, project) => {
    expect(referenceFaults(workspaceRoot, project, projects)).toEqual([]);
    expect(rootReferenceFaults(workspaceRoot, project)).toEqual([]);
  });

  it.each(byFolder)('%s has one type tag, and services are applications', (_, project) => {
    expect(tagFaults(project)).toEqual([]);
  });

  it.each(byFolder)('%s exports files that exist', (_, project) => {
    expect(exportFaults(workspaceRoot, project)).toEqual([]);
  });

  it.each(byFolder)('%s is in package-lock.json as it is', (_, project) => {
    expect(lockFaults(workspaceRoot, project)).toEqual([]);
  });
});

/** A workspace of two libraries and a service, whose files are given by path. */
async function withWorkspace(
  files: Readonly<Record<string, unknown>>,
  use: (root: string, projects: Project[]) => void,
): Promise<void> {
  const all: Record<string, unknown> = {
    'package.json': { workspaces: ['libs/*', 'services/*'] },
    'libs/lung/package.json': { name: '@lunastream/lung' },
    'libs/testing/package.json': { name: '@lunastream/testing' },
    'services/scanner/package.json': { name: '@lunastream/scanner' },
    ...files,
  };
  await withTemporaryFolder(async (root) => {
    for (const [path, content] of Object.entries(all)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
    }
    use(root, readProjects(root));
  });
}

describe('dependencyFaults()', () => {
  it('tells what production code and tests import from what package.json states', async () => {
    const files = {
      'services/scanner/package.json': {
        name: '@lunastream/scanner',
        dependencies: { '@lunastream/testing': '*', zod: '^4.0.0', '@types/node': '*' },
      },
      'services/scanner/src/main.ts': `
        import type { Lung } from '@lunastream/lung/shape';
        import { readFile } from 'node:fs/promises';
        import { main } from './scanner.ts';
        export const open = async () => (await import('lmdb')).open;`,
      'services/scanner/src/main.test.ts': `
        import { expect } from 'vitest';
        import { withTemporaryFolder } from '@lunastream/testing';`,
    };
    await withWorkspace(files, (root, [, , scanner]) => {
      expect(dependencyFaults(root, scanner!)).toEqual([
        'dependencies of services/scanner must name @lunastream/lung, which its sources import',
        'dependencies of services/scanner must name lmdb, which its sources import',
        'dependencies of services/scanner must not name @lunastream/testing: no source needs it there',
        'dependencies of services/scanner must not name zod: no source needs it there',
        'devDependencies of services/scanner must name @lunastream/testing, which its sources import',
      ]);
    });
  });

  it('accepts an optional dependency or peer that sources import where it is installed, and no other peer', async () => {
    const files = {
      'services/scanner/package.json': {
        name: '@lunastream/scanner',
        optionalDependencies: { prebuilt: '1.0.0' },
        peerDependencies: { native: '1.0.0', firm: '1.0.0' },
        peerDependenciesMeta: { native: { optional: true } },
      },
      'services/scanner/src/main.ts':
        "await import('native'); await import('firm'); await import('prebuilt');",
    };
    await withWorkspace(files, (root, [, , scanner]) => {
      expect(dependencyFaults(root, scanner!)).toEqual([
        'dependencies of services/scanner must name firm, which its sources import',
      ]);
    });
  });

  it('accepts a package that production code and tests both import in dependencies alone', async () => {
    const files = {
      'services/scanner/package.json': {
        name: '@lunastream/scanner',
        dependencies: { '@lunastream/lung': '*' },
      },
      'services/scanner/src/main.ts': "export * from '@lunastream/lung';",
      'services/scanner/test/main.ts': "import '@lunastream/lung'; import '@lunastream/scanner';",
    };
    await withWorkspace(files, (root, [, , scanner]) => {
      expect(dependencyFaults(root, scanner!)).toEqual([]);
    });
  });
});

describe('referenceFaults()', () => {
  it('names references that are missing and references without an import', async () => {
    const files = {
      'tsconfig.json': { references: [{ path: 'libs/lung' }] },
      'services/scanner/tsconfig.json': { references: [{ path: '../../libs/testing' }] },
      'services/scanner/src/main.ts': "export * from '@lunastream/lung';",
    };
    await withWorkspace(files, (root, all) => {
      const scanner = all[2]!;
      expect(referenceFaults(root, scanner, all)).toEqual([
        'tsconfig.json of services/scanner must refer to libs/lung, which its sources import',
        'tsconfig.json of services/scanner must not refer to libs/testing: no source imports it',
      ]);
      expect(rootReferenceFaults(root, scanner)).toEqual([
        'tsconfig.json of the workspace must refer to services/scanner',
      ]);
    });
  });
});

describe('tagFaults()', () => {
  it.each([
    ['no tag at all', 'libs/lung', {}, 'libs/lung must have one type: tag, got []'],
    [
      'two type tags',
      'libs/lung',
      { tags: ['type:domain', 'type:platform'] },
      'libs/lung must have one type: tag, got [type:domain, type:platform]',
    ],
    [
      'a service that is no application',
      'services/scanner',
      { tags: ['type:service'] },
      'services/scanner must have the projectType application, or other projects may import it',
    ],
    [
      'a library that calls itself a service',
      'libs/lung',
      { tags: ['type:service'] },
      'libs/lung must have the tag type:service exactly when it lies in services/',
    ],
  ])('names %s', (_, folder, nx, fault) => {
    expect(tagFaults({ folder, manifest: { name: '@lunastream/planted', nx } })).toEqual([fault]);
  });
});

describe('exportFaults()', () => {
  it('names an export whose source is missing or that has none', async () => {
    const exports = {
      '.': { '@lunastream/source': './src/index.ts', default: './dist/src/index.js' },
      './gone': { '@lunastream/source': './src/gone.ts' },
      './built': { default: './dist/src/built.js' },
      './package.json': './package.json',
    };
    const files = {
      'libs/lung/package.json': { name: '@lunastream/lung', exports },
      'libs/lung/src/index.ts': '',
    };
    await withWorkspace(files, (root, [lung]) => {
      expect(exportFaults(root, lung!)).toEqual([
        'exports of libs/lung must name a file for "./gone", got ./src/gone.ts',
        'exports of libs/lung must name a file for "./built", got none',
      ]);
    });
  });
});

describe('lockFaults()', () => {
  it('names the list in which package.json and package-lock.json differ, whatever their order', async () => {
    const files = {
      'package-lock.json': {
        packages: { 'libs/lung': { dependencies: { a: '1', b: '1' }, devDependencies: { c: '1' } } },
      },
      'libs/lung/package.json': { name: 'l', dependencies: { b: '1', a: '1' }, devDependencies: { c: '2' } },
    };
    await withWorkspace(files, (root, [lung]) => {
      expect(lockFaults(root, lung!)).toEqual([
        'package-lock.json must state the devDependencies of libs/lung: run npm install',
      ]);
    });
  });
});
