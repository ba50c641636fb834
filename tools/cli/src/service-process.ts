import { fork, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Environment, ServingMessage } from '@lunastream/service-kit';
import { CommandError, ExitCode } from './errors.ts';

/** A service must answer within this time; reading the headers of a full data set comes later. */
const START_TIMEOUT_MS = 30_000;
/** Lines of a service's log that are shown when it fails to start. */
const SHOWN_LOG_LINES = 5;

/** What to start: a service of services/, under a name of its own. */
export interface ServiceSpec {
  /** Name for people and of the log file, for example "augmentation-2". */
  readonly name: string;
  /** Folder below services/. */
  readonly service: 'chunk-cache' | 'augmentation' | 'trainer';
  readonly environment: Environment;
  /** File that gets what the service writes, after what is in it. */
  readonly logPath: string;
}

/** A service that answers, or did until it ended. */
export interface ServiceProcess {
  readonly process: ChildProcess;
  /** "host:port" that it listens on. */
  readonly address: string;
  /** "host:port" that Prometheus scrapes; undefined where there is none. */
  readonly prometheus: string | undefined;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
}

/**
 * Starts a service and waits until it answers. It ends by itself when this process goes away, however that happens.
 * @throws CommandError with the last lines of its log when it ends first, takes too long, or `signal` aborts.
 */
export async function launchService(
  { name, service, environment, logPath }: ServiceSpec,
  signal?: AbortSignal,
): Promise<ServiceProcess> {
  const child = fork(fileURLToPath(import.meta.resolve(`@lunastream/service-${service}/main`)), {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C reaches only this process, which ends the services in order.
    detached: true,
  });
  const log = createWriteStream(logPath, { flags: 'a' });
  child.stdout!.pipe(log, { end: false });
  child.stderr!.pipe(log, { end: false });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() => log.end());
  try {
    const { address, prometheus } = await servingMessage(child, signal);
    return { process: child, address, prometheus, ended };
  } catch (cause) {
    child.kill('SIGKILL');
    await ended;
    throw new CommandError(
      `Cannot start ${name}: ${(cause as Error).message}; ${await lastLines(logPath)} (whole log: ${logPath})`,
      ExitCode.failed,
      { cause },
    );
  }
}

async function servingMessage(child: ChildProcess, signal?: AbortSignal): Promise<ServingMessage> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise<ServingMessage>((resolve, reject) => {
      child.once('message', (message) => resolve(message as ServingMessage));
      child.once('exit', () => reject(new Error('it ended')));
      child.once('error', reject);
      onAbort = () => reject(new Error('it is no longer wanted'));
      signal?.addEventListener('abort', onAbort, { once: true });
      timer = setTimeout(
        () => reject(new Error(`it did not answer within ${START_TIMEOUT_MS / 1000} s`)),
        START_TIMEOUT_MS,
      );
    });
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}

/** The last log lines of a service, messages only where they are JSON. */
async function lastLines(logPath: string): Promise<string> {
  const text = await readFile(logPath, 'utf8').catch(() => '');
  const lines = text.trim().split('\n').slice(-SHOWN_LOG_LINES);
  return lines.map(messageOf).join(' | ');
}

function messageOf(line: string): string {
  try {
    return (JSON.parse(line) as { msg?: string }).msg ?? line;
  } catch {
    return line;
  }
}
