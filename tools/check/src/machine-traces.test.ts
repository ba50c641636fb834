import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { findForeignDependencies, findForeignPackages, findMachinePaths } from './machine-traces.ts';
import { listTrackedFiles, readText } from './tracked-files.ts';

/** Joins parts to a path, so that this file holds none itself. */
const path = (...parts: readonly string[]) => parts.join('/');

describe('the repository', () => {
  const tracked = listTrackedFiles(workspaceRoot);

  it.skipIf(tracked === undefined)('names no path of the machine it was written on [needs git]', () => {
    const found = tracked!.flatMap((file) => {
      const text = readText(join(workspaceRoot, file));
      return text === undefined
        ? []
        : findMachinePaths(text, workspaceRoot).map((trace) => `${file} names ${trace}`);
    });
    expect(found).toEqual([]);
  });

  it.skipIf(tracked === undefined)('states dependencies by version, not by place [needs git]', () => {
    const manifests = tracked!.filter((file) => /(^|\/)package\.json$/.test(file));
    expect(manifests).toContain('package.json');
    const found = manifests.flatMap((file) =>
      findForeignDependencies(readFileSync(join(workspaceRoot, file), 'utf8')).map(
        (trace) => `${file}: ${trace}`,
      ),
    );
    expect(found).toEqual([]);
  });

  it.skipIf(tracked === undefined)('configures no registry of its own [needs git]', () => {
    const settings = tracked!.filter((file) => file.endsWith('.npmrc'));
    const isAbout = (file: string) => /registry|_auth/i.test(readFileSync(join(workspaceRoot, file), 'utf8'));
    expect(settings.filter(isAbout)).toEqual([]);
  });

  it('installs from the npm registry only', () => {
    expect(findForeignPackages(readFileSync(join(workspaceRoot, 'package-lock.json'), 'utf8'))).toEqual([]);
  });
});

describe('findMachinePaths()', () => {
  const root = path('', 'srv', 'checkouts', 'lunastream');

  it.each([
    ['a home folder', path('', 'home', 'ada', 'scans')],
    ['a home folder of macOS', path('', 'Users', 'ada', 'scans')],
    ['a home folder of Windows', ['C:', 'Users', 'ada'].join('\\')],
    ["root's home folder", path('', 'root', 'scans')],
    ['the checkout', `${root}/libs`],
  ])('finds %s', (_, trace) => {
    expect(findMachinePaths(`reads "${trace}" first`, root)).toHaveLength(1);
  });

  it.each([
    ['a relative path', path('test', 'home', 'ada')],
    ['a web address', path('https:', '', 'example.org', 'home', 'ada')],
    ["a container image's user", path('', 'home', 'node', 'app')],
    ['a folder that only begins like the checkout', `${root}-data`],
    ['the root of a file system', path('', 'root')],
  ])('lets %s pass', (_, text) => {
    expect(findMachinePaths(`reads "${text}" first`, root)).toEqual([]);
  });
});

describe('findForeignPackages()', () => {
  it('names packages from mirrors and files, not links to the workspace', () => {
    const packages = {
      '': {},
      'libs/random': {},
      'node_modules/@lunastream/random': { resolved: 'libs/random', link: true },
      'node_modules/zod': { resolved: 'https://registry.npmjs.org/zod/-/zod-4.0.0.tgz' },
      'node_modules/pino': { resolved: 'https://mirror.example.org/pino/-/pino-10.0.0.tgz' },
      'node_modules/lmdb': { resolved: 'file:lmdb.tgz' },
    };
    expect(findForeignPackages(JSON.stringify({ packages }))).toEqual([
      'node_modules/pino from https://mirror.example.org/pino/-/pino-10.0.0.tgz',
      'node_modules/lmdb from file:lmdb.tgz',
    ]);
  });
});

describe('findForeignDependencies()', () => {
  it('names files, addresses and repositories, not versions', () => {
    const manifest = {
      dependencies: {
        zod: '^4.0.0',
        '@lunastream/random': '*',
        alias: 'npm:zod@4.0.0',
        scoped: 'npm:@scope/name@1.0.0',
        local: 'file:../local',
      },
      devDependencies: { web: 'https://example.org/web.tgz', hub: 'owner/repository', any: '>=1 <3' },
    };
    expect(findForeignDependencies(JSON.stringify(manifest))).toEqual([
      'local from file:../local',
      'web from https://example.org/web.tgz',
      'hub from owner/repository',
    ]);
  });
});
