import { readFileSync } from 'node:fs';
import { DCLinter } from 'dclint';
import { parse } from 'yaml';
import type { ServiceFacts } from './service-facts.ts';

/** What the checks read of a service of a Compose file; the schema looks at all of it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly network_mode?: string;
  readonly deploy?: {
    readonly resources?: {
      readonly reservations?: {
        readonly devices?: readonly { readonly driver?: string; readonly capabilities: readonly string[] }[];
      };
    };
  };
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** A Compose file with what lies around it. */
export interface ComposeProject {
  /** Absolute: paths of the file are relative to it. */
  readonly folder: string;
  readonly compose: Compose;
  readonly facts: ServiceFacts;
  /** Folders that the images have for their user; a volume that is made for one belongs to it, too. */
  readonly imageFolders: readonly string[];
}

/** Of the linter's rules those that are about what a file does, not about its order. */
const LINT_RULES = {
  'no-duplicate-container-names': 2,
  'no-version-field': 2,
  'require-project-name-field': 2,
  'require-quotes-in-ports': 2,
  'service-image-require-explicit-tag': 2,
  // Rules of our own ask for that, and understand variables.
  'no-duplicate-exported-ports': 0,
  'no-unbound-port-interfaces': 0,
  // We name the images that we build.
  'no-build-and-image': 0,
  'no-quotes-in-volumes': 0,
  'service-container-name-regex': 0,
  'service-dependencies-alphabetical-order': 0,
  'service-keys-order': 0,
  'service-ports-alphabetical-order': 0,
  'services-alphabetical-order': 0,
  'top-level-properties-order': 0,
} as const;

/** What of the linter is used: its own declarations name their files in a way that Node's resolution does not find. */
interface Linter {
  lintFiles(
    paths: readonly string[],
    isRecursive: boolean,
  ): readonly { readonly messages: readonly { readonly rule: string; readonly message: string }[] }[];
}
const createLinter = (config: object) => new (DCLinter as unknown as new (config: object) => Linter)(config);

/** What the schema of the Compose specification, and a linter's rules, have against a file: a sentence per fault. */
export function composeSchemaFaults(path: string): string[] {
  return createLinter({ rules: LINT_RULES, quiet: true, debug: false, exclude: [] })
    .lintFiles([path], false)
    .flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`));
}

export function readCompose(path: string): Compose {
  return parse(readFileSync(path, 'utf8'), { merge: true }) as Compose;
}

/** What `docker compose --file a --file b` makes of two files, as far as the second gives services whole new fields. */
export function overlayCompose(compose: Compose, over: Compose): Compose {
  const services = Object.entries(over.services).map(
    ([name, service]) => [name, { ...compose.services[name], ...service }] as const,
  );
  return { ...compose, services: { ...compose.services, ...Object.fromEntries(services) } };
}
