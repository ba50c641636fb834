import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the manifests must agree with. */
export interface ServiceFacts {
  /** Environment variables by service, from the schema of its settings. */
  readonly variables: Readonly<Record<string, readonly string[]>>;
  /** Images that deploy/images builds. */
  readonly images: readonly string[];
  readonly version: string;
}

const SERVICES = ['chunk-cache', 'augmentation', 'trainer'];

/** Asks the compiled services of the workspace at `root` for their settings; needs `npm run setup`. */
export function readServiceFacts(root: string): ServiceFacts {
  const help = (service: string) =>
    execFileSync(process.execPath, [join(root, `services/${service}/dist/src/main.js`), '--help'], {
      encoding: 'utf8',
    });
  const variablesOf = (service: string) =>
    [...help(service).matchAll(/^ {2}([A-Z][A-Z0-9_]+) {2}/gm)].map(([, name]) => name!);
  const containerfile = readFileSync(join(root, 'deploy/images/Containerfile'), 'utf8');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const variables = Object.fromEntries(SERVICES.map((service) => [service, variablesOf(service)]));
  return {
    // The command line takes the security settings, and ignores what only services have.
    variables: { ...variables, cli: [...new Set(Object.values(variables).flat())] },
    images: [...containerfile.matchAll(/^FROM service AS ([a-z-]+)$/gm)].map(([, name]) => name!),
    version,
  };
}

/** Folders that the Containerfile makes for the images' user. */
export function readImageFolders(root: string): string[] {
  const containerfile = readFileSync(join(root, 'deploy/images/Containerfile'), 'utf8');
  const [, made = ''] = /^RUN mkdir -p ((?:\/\S+ )+)/m.exec(containerfile) ?? [];
  return made.trim().split(' ');
}
