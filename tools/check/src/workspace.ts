import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the checks read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly nx?: { readonly tags?: readonly string[]; readonly projectType?: string };
}

/** A folder of the workspace that npm and Nx take for a project. */
export interface Project {
  /** Relative to the workspace's root, as in `libs/random`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The condition under which a package's exports name its sources instead of its build. */
export const SOURCE_CONDITION = '@lunastream/source';

/** The document in a JSON file without comments; the caller names its shape. */
export function readJson<Document>(path: string): Document {
  return JSON.parse(readFileSync(path, 'utf8')) as Document;
}

/** Every folder that the workspaces of the root's package.json match, with or without a package.json; sorted. */
export function listProjectFolders(root: string): string[] {
  const { workspaces } = readJson<{ workspaces: string[] }>(join(root, 'package.json'));
  return workspaces
    .map((pattern) => pattern.replace(/\/\*$/, ''))
    .filter((parent) => existsSync(join(root, parent)))
    .flatMap((parent) =>
      readdirSync(join(root, parent), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${parent}/${name}`),
    )
    .sort();
}

/** Every project of the workspace at `root`, by folder. */
export function readProjects(root: string): Project[] {
  return listProjectFolders(root)
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readJson<Manifest>(join(root, folder, 'package.json')) }));
}

/** The TypeScript files that a project's tsconfig.json includes, relative to the project's folder; sorted. */
export function listSources(root: string, { folder }: Project): string[] {
  return ['src', 'test']
    .filter((part) => existsSync(join(root, folder, part)))
    .flatMap((part) =>
      readdirSync(join(root, folder, part), { recursive: true, encoding: 'utf8' }).map(
        (path) => `${part}/${path}`,
      ),
    )
    .filter((path) => path.endsWith('.ts'))
    .sort();
}
