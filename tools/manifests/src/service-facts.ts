import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCompose } from './compose.ts';
import { ownImage } from './manifest.ts';

/** What the manifests must agree with. */
export interface ServiceFacts {
  /** Environment variables by service, from the schema of its settings. */
  readonly variables: Readonly<Record<string, readonly string[]>>;
  /** Images that deploy/images builds. */
  readonly images: readonly string[];
  /** Images of other programs, with the tag that deploy/compose.yaml has: the one place that decides on versions. */
  readonly programs: Readonly<Record<string, string>>;
  readonly version: string;
  /** Dashboards by file name, as `npm run gen` wrote them (tools/dashboards tests that it would write the same again). */
  readonly dashboards: Readonly<Record<string, string>>;
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
    images: [
      ...[...containerfile.matchAll(/^FROM service AS ([a-z-]+)$/gm)].map(([, name]) => name!),
      ...readdirSync(join(root, 'deploy/images'))
        .map((name) => /^([a-z-]+)\.Containerfile$/.exec(name)?.[1])
        .filter((name) => name !== undefined),
    ],
    programs: Object.fromEntries(
      Object.values(readCompose(join(root, 'deploy/compose.yaml')).services)
        .filter((service) => ownImage(service) === undefined)
        .map(({ image }) => image.split(':') as [string, string]),
    ),
    version,
    dashboards: readDashboards(join(root, 'deploy/grafana/dashboards')),
  };
}

function readDashboards(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

/** Folders that the Containerfile makes for the images' user. */
export function readImageFolders(root: string): string[] {
  const containerfile = readFileSync(join(root, 'deploy/images/Containerfile'), 'utf8');
  const [, made = ''] = /^RUN mkdir -p ((?:\/\S+ )+)/m.exec(containerfile) ?? [];
  return made.trim().split(' ');
}
