import { fork, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment, ServingMessage } from '@lunastream/service-kit';
import { CommandError, ExitCode } from './errors.ts';

/** A service must answer within this time; reading the headers of a full data set comes later. */
const START_TIMEOUT_MS = 30_000;
/** Ctrl-C ends everything within 5 s: a process that has not ended by now is killed. */
const STOP_TIMEOUT_MS = 3_500;
/** Lines of a service's log that are shown when it fails to start. */
const SHOWN_LOG_LINES = 5;

/** What a stack is made of. */
export interface LocalStackOptions {
  /** Data set folders by name. */
  readonly datasets: Readonly<Record<string, string>>;
  readonly workerCount: number;
  readonly runsFolder: string;
  /** Folder of the chunk store and of the services' logs. */
  readonly stateFolder: string;
  /** Port of the trainer; 0 takes any. The other services always take any. */
  readonly trainerPort: number;
  readonly environment: Environment;
}

/** Where the services of a running stack answer. */
export interface StackAddresses {
  readonly chunkCache: string;
  readonly workers: readonly string[];
  readonly trainer: string;
}

interface RunningService {
  readonly name: string;
  readonly process: ChildProcess;
  readonly address: string;
  readonly ended: Promise<void>;
}

/**
 * The three services as processes on loopback ports: a chunk cache, augmentation workers, a trainer. Each is a child
 * that ends by itself when this process goes away, however that happens.
 */
export class LocalStack {
  readonly addresses: StackAddresses;
  readonly #services: readonly RunningService[];
  #stopping: Promise<void> | undefined;

  private constructor(services: readonly RunningService[], addresses: StackAddresses) {
    this.#services = services;
    this.addresses = addresses;
  }

  /** Starts every service and waits until all answer. When one does not, ends the others and throws. */
  static async start(options: LocalStackOptions): Promise<LocalStack> {
    const logFolder = join(options.stateFolder, 'logs');
    await mkdir(logFolder, { recursive: true });
    const started: RunningService[] = [];
    const launch = async (name: string, service: string, variables: Record<string, string>) => {
      const running = await launchService(name, service, {
        logPath: join(logFolder, `${name}.log`),
        environment: { ...options.environment, ...variables },
      });
      started.push(running);
      return running.address;
    };
    try {
      const chunkCache = await launch('chunk-cache', 'chunk-cache', {
        CHUNK_CACHE_LISTEN: '127.0.0.1:0',
        CHUNK_CACHE_DATASETS: Object.entries(options.datasets)
          .map(([name, folder]) => `${name}=${resolve(folder)}`)
          .join(','),
        CHUNK_CACHE_STORE_FOLDER: join(options.stateFolder, 'chunks'),
      });
      const workers = await Promise.all(
        Array.from({ length: options.workerCount }, (_, index) =>
          launch(`augmentation-${index + 1}`, 'augmentation', {
            AUGMENTATION_LISTEN: '127.0.0.1:0',
            AUGMENTATION_CHUNK_CACHE_ADDRESS: chunkCache,
          }),
        ),
      );
      const trainer = await launch('trainer', 'trainer', {
        TRAINER_LISTEN: `127.0.0.1:${options.trainerPort}`,
        TRAINER_CHUNK_CACHE_ADDRESS: chunkCache,
        TRAINER_WORKER_ADDRESSES: workers.join(','),
        TRAINER_RUNS_FOLDER: options.runsFolder,
      });
      return new LocalStack(started, { chunkCache, workers, trainer });
    } catch (error) {
      await new LocalStack(started, { chunkCache: '', workers: [], trainer: '' }).stop();
      throw error;
    }
  }

  /** Names and process ids, for those who watch or disturb them. */
  get processes(): { readonly name: string; readonly pid: number }[] {
    return this.#services.map(({ name, process }) => ({ name, pid: process.pid! }));
  }

  /** Resolves with the name of the first service that ends. */
  firstEnd(): Promise<string> {
    return Promise.race(this.#services.map(({ name, ended }) => ended.then(() => name)));
  }

  /** Resolves when the trainer ends. */
  async trainerEnd(): Promise<'trainer ended'> {
    await this.#services.at(-1)!.ended;
    return 'trainer ended';
  }

  /** Ends every service: trainer first, then workers, then the cache that they use; kills what hangs. */
  stop(): Promise<void> {
    this.#stopping ??= stopInOrder(this.#services);
    return this.#stopping;
  }
}

async function stopInOrder(services: readonly RunningService[]): Promise<void> {
  const kill = setTimeout(() => {
    for (const { process } of services) process.kill('SIGKILL');
  }, STOP_TIMEOUT_MS);
  for (const { process, ended } of [...services].reverse()) {
    process.kill('SIGTERM');
    await ended;
  }
  clearTimeout(kill);
}

async function launchService(
  name: string,
  service: string,
  { logPath, environment }: { readonly logPath: string; readonly environment: Environment },
): Promise<RunningService> {
  const child = fork(fileURLToPath(import.meta.resolve(`@lunastream/service-${service}/main`)), {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C reaches only this process, which ends the services in order.
    detached: true,
  });
  const log = createWriteStream(logPath);
  child.stdout!.pipe(log, { end: false });
  child.stderr!.pipe(log, { end: false });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() => log.end());
  let timer: NodeJS.Timeout | undefined;
  try {
    const address = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve((message as ServingMessage).address));
      child.once('exit', () => reject(new Error('it ended')));
      child.once('error', reject);
      timer = setTimeout(
        () => reject(new Error(`it did not answer within ${START_TIMEOUT_MS / 1000} s`)),
        START_TIMEOUT_MS,
      );
    });
    return { name, process: child, address, ended };
  } catch (cause) {
    child.kill('SIGKILL');
    await ended;
    throw new CommandError(
      `Cannot start ${name}: ${(cause as Error).message}; ${await lastLines(logPath)} (whole log: ${logPath})`,
      ExitCode.failed,
      { cause },
    );
  } finally {
    clearTimeout(timer);
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
