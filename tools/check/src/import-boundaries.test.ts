import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installEmptyPackage, lintThroughNx, plantWorkspace, type LintMessage } from './planted-workspace.ts';
import { readJson, readProjects } from './workspace.ts';

const BOUNDARIES = '@nx/enforce-module-boundaries';

interface Fault {
  readonly what: string;
  readonly path: string;
  readonly text: string;
  readonly rule: string;
  readonly message: RegExp;
}

// Each file holds one fault and would pass without it.
const FAULTS: readonly Fault[] = [
  {
    what: 'a domain library that imports gRPC',
    path: 'libs/metrics/src/grpc.ts',
    text: "export * from '@grpc/grpc-js';\n",
    rule: BOUNDARIES,
    message: /"type:domain" is not allowed to import "@grpc\/grpc-js"/,
  },
  {
    what: 'a domain library that imports tfjs',
    path: 'libs/metrics/src/tfjs.ts',
    text: "export * from '@tensorflow/tfjs';\n",
    rule: BOUNDARIES,
    message: /"type:domain" is not allowed to import "@tensorflow\/tfjs"/,
  },
  {
    what: 'a domain library that imports OpenTelemetry',
    path: 'libs/metrics/src/telemetry.ts',
    text: "export * from '@opentelemetry/api';\n",
    rule: BOUNDARIES,
    message: /"type:domain" is not allowed to import "@opentelemetry\/api"/,
  },
  {
    what: 'a domain library that imports a platform library',
    path: 'libs/metrics/src/platform.ts',
    text: "export * from '@lunastream/service-kit';\n",
    rule: BOUNDARIES,
    message: /"type:domain" can only depend on libs tagged with "type:domain"/,
  },
  {
    what: 'a domain library that reaches into another by path',
    path: 'libs/metrics/src/path.ts',
    text: "export * from '../../random/src/index.ts';\n",
    rule: BOUNDARIES,
    message: /cannot be imported by a relative or absolute path/,
  },
  {
    what: 'a library that reads the environment',
    path: 'libs/metrics/src/environment.ts',
    text: "export const home = process.env['HOME'];\n",
    rule: 'no-restricted-syntax',
    message: /Only main\.ts may read process\.env/,
  },
  {
    what: 'a library that imports the process',
    path: 'libs/metrics/src/process.ts',
    text: "export { env } from 'node:process';\n",
    rule: 'no-restricted-imports',
    message: /Only main\.ts may touch the process/,
  },
  {
    what: 'a library that draws unseeded random numbers',
    path: 'libs/metrics/src/random.ts',
    text: 'export const draw = () => Math.random();\n',
    rule: 'no-restricted-syntax',
    message: /draw from @lunastream\/random/,
  },
  {
    what: 'a library that writes to the console',
    path: 'libs/metrics/src/console.ts',
    text: "console.log('hello');\n",
    rule: 'no-console',
    message: /Unexpected console statement/,
  },
  {
    what: 'production code that imports test helpers',
    path: 'libs/metrics/src/testing.ts',
    text: "export * from '@lunastream/testing';\n",
    rule: 'no-restricted-imports',
    message: /Only tests and tools may import @lunastream\/testing/,
  },
  {
    what: 'a contract library that imports a domain library',
    path: 'libs/contracts/src/domain.ts',
    text: "export * from '@lunastream/random';\n",
    rule: BOUNDARIES,
    message: /"type:contract" cannot depend on any libs with tags/,
  },
  {
    what: 'a platform library that imports tfjs',
    path: 'libs/service-kit/src/tfjs.ts',
    text: "export * from '@tensorflow/tfjs';\n",
    rule: BOUNDARIES,
    message: /"type:platform" is not allowed to import "@tensorflow\/tfjs"/,
  },
  {
    what: 'an engine that imports gRPC',
    path: 'libs/engine/src/grpc.ts',
    text: "export * from '@grpc/grpc-js';\n",
    rule: BOUNDARIES,
    message: /"type:engine" is not allowed to import "@grpc\/grpc-js"/,
  },
  {
    what: 'a service that imports another',
    path: 'services/augmentation/src/service.ts',
    text: "export * from '@lunastream/service-trainer/main';\n",
    rule: BOUNDARIES,
    message: /Imports of apps are forbidden/,
  },
  {
    what: 'a project without a type tag',
    path: 'libs/untagged/src/index.ts',
    text: "export * from '@lunastream/random';\n",
    rule: BOUNDARIES,
    message: /A project without tags matching at least one constraint cannot depend on any libraries/,
  },
];

/** Imports that the rules allow: without these a rule that refuses everything would look right. */
const ALLOWED: Readonly<Record<string, string>> = {
  'libs/metrics/src/domain.ts': "export * from '@lunastream/random';\n",
  'libs/metrics/src/domain.test.ts': "export * from '@lunastream/testing';\n",
  'libs/engine/src/tfjs.ts': "export * from '@tensorflow/tfjs';\n",
  'libs/service-kit/src/grpc.ts': "export * from '@grpc/grpc-js';\n",
  'services/augmentation/src/main.ts': "export const home = process.env['HOME'];\n",
  'services/augmentation/src/platform.ts': "export * from '@lunastream/service-kit';\n",
};

/** A project like libs/metrics but for its tag, and the entries that planted imports lead to. */
function surroundings(): Record<string, string> {
  const { nx, ...manifest } = readJson<{ nx: object }>(join(workspaceRoot, 'libs/metrics/package.json'));
  const untagged = { ...manifest, name: '@lunastream/untagged', nx: { ...nx, tags: [] } };
  return {
    'libs/untagged/package.json': JSON.stringify(untagged),
    'libs/untagged/tsconfig.json': JSON.stringify({ extends: '../../tsconfig.base.json', include: ['src'] }),
    'libs/random/src/index.ts': 'export const random = 1;\n',
    'libs/service-kit/src/index.ts': 'export const kit = 1;\n',
    'libs/testing/src/index.ts': 'export const testing = 1;\n',
    'services/trainer/src/main.ts': 'export const main = 1;\n',
  };
}

describe('nx lint on planted files', () => {
  let copy = '';
  let messages: ReadonlyMap<string, readonly LintMessage[]> = new Map();

  beforeAll(async () => {
    // The real path: where the temporary folder is a link, ESLint would find the files outside Nx's workspace.
    copy = realpathSync(mkdtempSync(join(tmpdir(), 'lunastream-planted-')));
    const planted = Object.fromEntries(FAULTS.map(({ path, text }) => [path, text]));
    plantWorkspace(workspaceRoot, copy, { ...surroundings(), ...ALLOWED, ...planted });
    installEmptyPackage(copy, '@opentelemetry/api');
    const isPlanted = (folder: string) => FAULTS.some(({ path }) => path.startsWith(`${folder}/`));
    const projects = readProjects(copy).filter(({ folder }) => isPlanted(folder));
    messages = await lintThroughNx(
      copy,
      projects.map(({ manifest }) => manifest.name),
    );
  });

  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it.each(FAULTS.map((fault) => [fault.what, fault] as const))('refuses %s', (_, { path, rule, message }) => {
    expect(messages.get(path)).toEqual([{ rule, message: expect.stringMatching(message) as string }]);
  });

  it.each(Object.keys(ALLOWED))('allows %s', (path) => {
    expect(messages.get(path)).toEqual([]);
  });
});
