import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { executableInputFaults } from './executable-input.ts';
import { listSources, readProjects } from './workspace.ts';

/** What a file may do for a reason. */
const ALLOWED: Readonly<Record<string, string>> = {
  // Starts the services of this project, by fixed names.
  'tools/cli/src/service-process.ts': 'child_process starts other programs',
  // Asks the driver's own tool, by a fixed name, which GPUs there are.
  'libs/engine/src/gpus.ts': 'child_process starts other programs',
  // Sets a flag of V8 and unpacks nothing.
  'libs/service-kit/src/heap-growth.ts': 'v8 unpacks objects from bytes',
  // Starts a server for tests; nothing else may import it.
  'libs/testing/src/redis-server.ts': 'child_process starts other programs',
  // Loads optional packages, whose names are a constant list of the same file.
  'libs/engine/src/tfjs/load-tensorflow.ts': 'import() must load a module named in the source',
};

const projects = readProjects(workspaceRoot).filter(({ folder }) =>
  /^(?:libs|services)\/|^tools\/cli$/.test(folder),
);

describe('nothing that is read becomes code', () => {
  it.each(projects.map((project) => [project.folder, project] as const))('in %s', (folder, project) => {
    const paths = listSources(workspaceRoot, project).filter(
      (path) => path.startsWith('src/') && !path.endsWith('.test.ts'),
    );
    expect(paths.length).toBeGreaterThan(0);
    const faults = paths
      .map((path) => `${folder}/${path}`)
      .flatMap((path) =>
        executableInputFaults(readFileSync(join(workspaceRoot, path), 'utf8'), path).filter(
          (fault) => ALLOWED[path] === undefined || !fault.endsWith(ALLOWED[path]),
        ),
      );
    expect(faults).toEqual([]);
  });

  it.each([
    ['eval(text);', 'eval() runs text as code'],
    ["new Function('a', text)();", 'new Function() runs text as code'],
    ["import { runInThisContext } from 'node:vm';", 'vm runs text as code'],
    ["import v8 from 'v8';", 'v8 unpacks objects from bytes'],
    ["import { exec } from 'node:child_process';", 'child_process starts other programs'],
    ['const { a } = await import(path);', 'import() must load a module named in the source'],
    ['const a = require(`${folder}/a.js`);', 'require() must load a module named in the source'],
    [
      'new Worker(path);',
      'a thread must run a file of the package (new URL(…, import.meta.url)) or a constant text',
    ],
    [
      'let code = ""; new Worker(code, { eval: true });',
      'a thread must run a file of the package (new URL(…, import.meta.url)) or a constant text',
    ],
    [
      'const CODE = `start(${argument});`; new Worker(CODE, { eval: true });',
      'a thread must run a file of the package (new URL(…, import.meta.url)) or a constant text',
    ],
    [
      'new WebAssembly.Module(await readFile(path));',
      'WebAssembly must come from a file of the package (import.meta.url)',
    ],
    ['await WebAssembly.instantiate(bytes);', 'WebAssembly must be made by new Module()'],
    ["root.openDB({ name: 'chunks' });", 'a store must have an encoding of binary, json, string, got none'],
    [
      "root.openDB({ encoding: 'msgpack' });",
      'a store must have an encoding of binary, json, string, got msgpack',
    ],
  ])('refuses %s', (text, fault) => {
    expect(executableInputFaults(text, 'planted.ts')).toEqual([`planted.ts:1: ${fault}`]);
  });

  it.each([
    "await import('./simd/simd-engine.ts');",
    "new Worker(new URL('./thread.js', import.meta.url));",
    'const CODE = `start(${FIELD.failed});`; new Worker(CODE, { eval: true });',
    "new WebAssembly.Module(readFileSync(createRequire(import.meta.url).resolve('@a/b.wasm')));",
    "root.openDB({ name: 'chunks', encoding: 'binary' });",
  ])('allows %s', (text) => {
    expect(executableInputFaults(text, 'sample.ts')).toEqual([]);
  });
});
