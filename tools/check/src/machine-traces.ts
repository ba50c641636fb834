/**
 * Traces of the machine that a file was written on: they work there and nowhere else. Patterns are generic; `root` adds
 * the path of this checkout itself.
 */
import { homedir } from 'node:os';
import { sep } from 'node:path';

/** Users that documentation and container images may name. */
const PUBLIC_USERS = ['node', 'runner'];

const HOME_PATTERNS: readonly RegExp[] = [
  // Preceded by a word or a dot these are parts of a relative path or a web address.
  /(?<![\w.-])\/root\/[\w.-]+/g,
  new RegExp(`(?<![\\w.-])/(?:home|Users)/(?!(?:${PUBLIC_USERS.join('|')})\\b)[\\w.-]+`, 'g'),
  /\b[A-Z]:\\+Users\\+\w+/g,
];

/** A path of one segment, `/app` for example, would be found in texts that mean something else. */
const FEWEST_SEGMENTS = 2;

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function pathPatterns(paths: readonly string[]): RegExp[] {
  return paths
    .filter((path) => path.split(sep).filter((part) => part !== '').length >= FEWEST_SEGMENTS)
    .map((path) => new RegExp(`(?<![\\w.-])${escapeRegExp(path)}(?![\\w-])`, 'g'));
}

/** Absolute paths in `text` that lie in somebody's home folder or in the checkout at `root`. */
export function findMachinePaths(text: string, root: string): string[] {
  const patterns = [...HOME_PATTERNS, ...pathPatterns([root.replace(/\/+$/, ''), homedir()])];
  return [...new Set(patterns.flatMap((pattern) => text.match(pattern) ?? []))];
}

const REGISTRY = 'https://registry.npmjs.org/';

interface LockedPackage {
  readonly resolved?: string;
  readonly link?: boolean;
}

/** Packages of a package-lock.json (as text) that would be fetched from anywhere but npm's registry. */
export function findForeignPackages(lockText: string): string[] {
  const { packages } = JSON.parse(lockText) as { packages: Readonly<Record<string, LockedPackage>> };
  return Object.entries(packages)
    .filter(
      ([, { resolved, link }]) => resolved !== undefined && link !== true && !resolved.startsWith(REGISTRY),
    )
    .map(([path, { resolved }]) => `${path} from ${resolved}`);
}

/** Dependencies of a package.json (as text) that name a place instead of a version. */
export function findForeignDependencies(manifestText: string): string[] {
  const manifest = JSON.parse(manifestText) as Record<string, Readonly<Record<string, string>> | undefined>;
  return ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
    .flatMap((list) => Object.entries(manifest[list] ?? {}))
    .filter(([, version]) => /[:/]/.test(version.replace(/^npm:(@[\w.-]+\/)?/, '')))
    .map(([name, version]) => `${name} from ${version}`);
}
