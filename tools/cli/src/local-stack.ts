import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '@lunastream/service-kit';
import { cacheFoldersOf } from './cache-folders.ts';
import { isAddress } from './data-folder.ts';
import { launchService, type ServiceProcess, type ServiceSpec } from './service-process.ts';

/** Ctrl-C ends everything within 5 s: a process that has not ended by now is killed. */
const STOP_TIMEOUT_MS = 3_500;
/** Between the end of a service and its new start: one that fails at once must not keep the machine busy. */
const RESTART_DELAY_MS = 500;

/** What a stack is made of. */
export interface LocalStackOptions {
  /** Data set folders by name. */
  readonly datasets: Readonly<Record<string, string>>;
  readonly workerCount: number;
  /** The trainer reads and augments by itself: neither cache nor workers are started. */
  readonly isLocalAugment?: boolean;
  readonly runsFolder: string;
  /** Folder of the chunk store and of the services' logs. */
  readonly stateFolder: string;
  /** Port of the trainer; 0 takes any. The other services always take any. */
  readonly trainerPort: number;
  /** First port that Prometheus scrapes, the next ones for the next services; 0 takes any. Absent: none. */
  readonly prometheusPort?: number | undefined;
  /**
   * Trainers for a series of runs: so many work side by side, and one that ends is started again for the runs that are left.
   * Absent: one, whose end is the end of its run.
   */
  readonly seriesTrainers?: number | undefined;
  readonly environment: Environment;
  /** Told in one sentence when a service ended and is started again. */
  readonly onRestart: (sentence: string) => void;
}

/** Where the services of a running stack answer. */
export interface StackAddresses {
  /** Undefined when the trainer reads by itself. */
  readonly chunkCache: string | undefined;
  readonly workers: readonly string[];
  readonly trainer: string;
  /** All of them, the first one too. */
  readonly trainers: readonly string[];
}

/** Where Prometheus scrapes a service. */
export interface ScrapeTarget {
  readonly name: string;
  readonly address: string;
}

/** A service of the stack and the process that runs it now. */
interface RunningService {
  readonly spec: ServiceSpec;
  readonly address: string;
  current: ServiceProcess;
}

/**
 * The three services as processes on loopback ports: a chunk cache, augmentation workers, a trainer; or a trainer that
 * does the others' work itself. Cache and workers hold nothing that a run needs, so one that ends is started again at
 * its address and runs go on. The trainer is not, unless it has a series of runs to do: its end is the end of its run.
 */
export class LocalStack {
  readonly addresses: StackAddresses;
  readonly #services: readonly RunningService[];
  readonly #onRestart: LocalStackOptions['onRestart'];
  readonly #stopRequest = new AbortController();
  readonly #supervisions: Promise<void>[] = [];
  #stopped: Promise<void> | undefined;

  private constructor(
    services: readonly RunningService[],
    addresses: StackAddresses,
    onRestart: LocalStackOptions['onRestart'],
  ) {
    this.#services = services;
    this.addresses = addresses;
    this.#onRestart = onRestart;
  }

  /** Starts every service and waits until all answer. When one does not, ends the others and throws. */
  static async start(options: LocalStackOptions): Promise<LocalStack> {
    const logFolder = join(options.stateFolder, 'logs');
    await mkdir(logFolder, { recursive: true });
    const started: RunningService[] = [];
    const nextScrapeAddress = scrapeAddresses(options.prometheusPort);
    const launch = async (
      name: string,
      service: ServiceSpec['service'],
      variables: Record<string, string>,
    ): Promise<string> => {
      const spec = {
        name,
        service,
        environment: { ...options.environment, ...variables, [SCRAPED_AT]: nextScrapeAddress() },
        logPath: join(logFolder, `${name}.log`),
      };
      const current = await launchService(spec);
      started.push({ spec, address: current.address, current });
      return current.address;
    };
    try {
      const addresses = await launchAll(options, launch);
      const stack = new LocalStack(started, addresses, options.onRestart);
      stack.#supervise(options.seriesTrainers !== undefined);
      return stack;
    } catch (error) {
      await stopInOrder(started);
      throw error;
    }
  }

  /** Names and process ids, for those who watch or disturb them. */
  get processes(): { readonly name: string; readonly pid: number }[] {
    return this.#services.map(({ spec, current }) => ({ name: spec.name, pid: current.process.pid! }));
  }

  /** Where Prometheus scrapes the services; empty unless that was asked for. */
  get scrapeTargets(): ScrapeTarget[] {
    return this.#services.flatMap(({ spec, current: { prometheus } }) =>
      prometheus === undefined ? [] : [{ name: spec.name, address: prometheus }],
    );
  }

  /** Resolves when the trainer ends. */
  async trainerEnd(): Promise<'trainer ended'> {
    await this.#services.at(-1)!.current.ended;
    return 'trainer ended';
  }

  /** Ends every service: trainer first, then workers, then the cache that they use; kills what hangs. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopRequest.abort();
    // A start that is under way ends by the abort.
    await Promise.all(this.#supervisions);
    await stopInOrder(this.#services);
  }

  #supervise(includesTrainers: boolean): void {
    for (const service of this.#services) {
      if (includesTrainers || service.spec.service !== 'trainer')
        this.#supervisions.push(this.#keepAlive(service));
    }
  }

  /** Starts `service` again whenever it ends, until the stack stops. Never rejects. */
  async #keepAlive(service: RunningService): Promise<void> {
    const { signal } = this.#stopRequest;
    const stopped = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    for (;;) {
      await Promise.race([service.current.ended, stopped]);
      if (signal.aborted) return;
      this.#onRestart(`${service.spec.name} ended unexpectedly and is started again`);
      await delay(RESTART_DELAY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      // One that cannot be started is tried again: its `current` has ended still.
      service.current = await launchService(atAddress(service), signal).catch(() => service.current);
    }
  }
}

const LISTEN_VARIABLE = {
  'chunk-cache': 'CHUNK_CACHE_LISTEN',
  augmentation: 'AUGMENTATION_LISTEN',
  trainer: 'TRAINER_LISTEN',
} as const;

const SCRAPED_AT = 'LUNASTREAM_PROMETHEUS_LISTEN';

function atAddress({ spec, address, current: { prometheus } }: RunningService): ServiceSpec {
  const addresses = {
    [LISTEN_VARIABLE[spec.service]]: address,
    ...(prometheus === undefined ? {} : { [SCRAPED_AT]: prometheus }),
  };
  return { ...spec, environment: { ...spec.environment, ...addresses } };
}

/** Addresses for one service after another; "off" when there is no first port. */
function scrapeAddresses(firstPort: number | undefined): () => string {
  let next = 0;
  if (firstPort === undefined) return () => 'off';
  return () => `127.0.0.1:${firstPort === 0 ? 0 : firstPort + next++}`;
}

/** Starts a service under a name, with these variables in its environment; tells its address. */
type LaunchService = (
  name: string,
  service: ServiceSpec['service'],
  variables: Record<string, string>,
) => Promise<string>;

/** The cache first, then the workers that ask it, then the trainer that leases from them. */
async function launchAll(options: LocalStackOptions, launch: LaunchService): Promise<StackAddresses> {
  const datasets = Object.entries(options.datasets)
    .map(([name, folder]) => `${name}=${isAddress(folder) ? folder : resolve(folder)}`)
    .join(',');
  const { chunks: storeFolder, copies: copyFolder } = cacheFoldersOf(options.stateFolder);
  if (options.isLocalAugment) {
    const trainers = await launchTrainers(options, launch, {
      TRAINER_LOCAL_DATASETS: datasets,
      TRAINER_LOCAL_STORE_FOLDER: storeFolder,
      TRAINER_LOCAL_COPY_FOLDER: copyFolder,
    });
    return { chunkCache: undefined, workers: [], trainer: trainers[0]!, trainers };
  }
  const chunkCache = await launch('chunk-cache', 'chunk-cache', {
    CHUNK_CACHE_LISTEN: '127.0.0.1:0',
    CHUNK_CACHE_DATASETS: datasets,
    CHUNK_CACHE_STORE_FOLDER: storeFolder,
    CHUNK_CACHE_COPY_FOLDER: copyFolder,
  });
  // The workers of one machine share its cores.
  const threadsPerWorker = String(Math.max(1, Math.floor(availableParallelism() / options.workerCount)));
  const workers = await Promise.all(
    Array.from({ length: options.workerCount }, (_, index) =>
      launch(`augmentation-${index + 1}`, 'augmentation', {
        AUGMENTATION_LISTEN: '127.0.0.1:0',
        AUGMENTATION_CHUNK_CACHE_ADDRESS: chunkCache,
        ...(options.environment['AUGMENTATION_THREADS'] === undefined
          ? { AUGMENTATION_THREADS: threadsPerWorker }
          : {}),
      }),
    ),
  );
  const trainers = await launchTrainers(options, launch, {
    TRAINER_CHUNK_CACHE_ADDRESS: chunkCache,
    TRAINER_WORKER_ADDRESSES: workers.join(','),
  });
  return { chunkCache, workers, trainer: trainers[0]!, trainers };
}

/** One trainer, or as many as a series has side by side. */
function launchTrainers(
  { seriesTrainers = 1, trainerPort, runsFolder }: LocalStackOptions,
  launch: LaunchService,
  supply: Record<string, string>,
): Promise<string[]> {
  return Promise.all(
    Array.from({ length: seriesTrainers }, (_, index) =>
      launch(index === 0 ? 'trainer' : `trainer-${index + 1}`, 'trainer', {
        ...supply,
        TRAINER_LISTEN: `127.0.0.1:${index === 0 ? trainerPort : 0}`,
        TRAINER_RUNS_FOLDER: runsFolder,
      }),
    ),
  );
}

async function stopInOrder(services: readonly RunningService[]): Promise<void> {
  const kill = setTimeout(() => {
    for (const { current } of services) current.process.kill('SIGKILL');
  }, STOP_TIMEOUT_MS);
  for (const { current } of [...services].reverse()) {
    current.process.kill('SIGTERM');
    await current.ended;
  }
  clearTimeout(kill);
}
