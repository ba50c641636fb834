import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { ProcessRun, type FinishedProcess } from './process-run.ts';

const cli = join(workspaceRoot, 'tools/cli/bin/lunastream.mjs');

/** Starts the command line in `cwd`; what it writes below relative paths stays there. */
export function startLunastream(cwd: string, ...args: string[]): ProcessRun {
  return new ProcessRun(cli, args, { cwd });
}

/** Runs the command line to its end. */
export function lunastream(cwd: string, ...args: string[]): Promise<FinishedProcess> {
  return startLunastream(cwd, ...args).finished;
}

/** Names of services, as folders below services/. */
export type ServiceName = 'chunk-cache' | 'augmentation' | 'trainer';

/** Starts one service as `node main.js`, the way images do. */
export function startService(
  name: ServiceName,
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
  within: readonly string[] = [],
): ProcessRun {
  return new ProcessRun(join(workspaceRoot, `services/${name}/dist/src/main.js`), args, {
    cwd,
    within,
    // Tests run beside each other: none takes the port that Prometheus scrapes by default.
    environment: { LUNASTREAM_PROMETHEUS_LISTEN: 'off', ...environment },
  });
}

/** A line of `--json` output. */
export type JsonEvent = { readonly event: string } & Readonly<Record<string, unknown>>;

/** The events that a command wrote with --json. */
export function jsonEvents({ stdout }: FinishedProcess): JsonEvent[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonEvent);
}

/** Folder of the only run below `runsFolder`. */
export async function onlyRun(runsFolder: string): Promise<string> {
  const prefixes = await readdir(runsFolder);
  const runs = await readdir(join(runsFolder, prefixes[0]!));
  if (prefixes.length !== 1 || runs.length !== 1) {
    throw new Error(`expected one run below ${runsFolder}, got ${prefixes.join()} with ${runs.join()}`);
  }
  return join(runsFolder, prefixes[0]!, runs[0]!);
}

/** epochs.jsonl of a run as text: it holds no time, so equal runs have equal bytes. */
export function readEpochs(runFolder: string): Promise<string> {
  return readFile(join(runFolder, 'epochs.jsonl'), 'utf8');
}
