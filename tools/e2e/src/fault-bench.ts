import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunState, type RunSettings } from '@lunastream/contracts';
import type { ConnectOptions } from '@lunastream/service-kit';
import { expect } from 'vitest';
import { makeSmallDataset } from './small-dataset.ts';
import { TcpProxy, type ProxyOptions } from './tcp-proxy.ts';
import { TestService } from './test-service.ts';
import { RUN, WatchedRun, type RunResult } from './watched-run.ts';

/** Small leases and few bytes ahead: what is disturbed is always in the middle of something. */
const TRAINER_ENVIRONMENT = {
  TRAINER_LEASE_SIZE: '16',
  TRAINER_SAMPLE_BUFFER: '2MiB',
  TRAINER_HEDGE_AFTER_MS: '500',
};

/** A worker behind a proxy: its trainer finds it there whatever happens to the process. */
export interface ProxiedWorker {
  readonly service: TestService;
  readonly proxy: TcpProxy;
}

/** How the services of a bench are secured; not at all unless said. */
export interface BenchSecurity {
  /** Variables of every service. */
  readonly environment: Readonly<Record<string, string>>;
  /** How tests connect to the trainer. */
  readonly connect: ConnectOptions;
}

const NO_SECURITY: BenchSecurity = { environment: {}, connect: {} };

/** A cache with the small data set, what an undisturbed run gives, and what tests start beside it. */
export class FaultBench {
  readonly folder: string;
  readonly cache: TestService;
  readonly #security: BenchSecurity;
  readonly #proxies: TcpProxy[] = [];
  readonly #runs: WatchedRun[] = [];

  private constructor(folder: string, cache: TestService, security: BenchSecurity) {
    this.folder = folder;
    this.cache = cache;
    this.#security = security;
  }

  static async start(security = NO_SECURITY): Promise<FaultBench> {
    const folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-faults-'));
    const data = await makeSmallDataset(join(folder, 'data'));
    const cache = await TestService.start('chunk-cache', folder, {
      CHUNK_CACHE_DATASETS: `default=${data}`,
      CHUNK_CACHE_STORE_FOLDER: join(folder, 'chunks'),
      ...security.environment,
    });
    return new FaultBench(folder, cache, security);
  }

  /** Processes end with the tests of the file; connections and files here. */
  async close(): Promise<void> {
    for (const run of this.#runs) run.close();
    for (const proxy of this.#proxies) proxy.close();
    await this.cache.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  startWorker(variables: Readonly<Record<string, string>> = {}): Promise<TestService> {
    return TestService.start('augmentation', this.folder, {
      AUGMENTATION_CHUNK_CACHE_ADDRESS: this.cache.address,
      AUGMENTATION_THREADS: '1',
      ...this.#security.environment,
      ...variables,
    });
  }

  async startProxiedWorker(
    options?: ProxyOptions,
    variables?: Readonly<Record<string, string>>,
  ): Promise<ProxiedWorker> {
    const service = await this.startWorker(variables);
    return { service, proxy: await this.startProxy(service.address, options) };
  }

  async startProxy(target: string, options?: ProxyOptions): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(target, options);
    this.#proxies.push(proxy);
    return proxy;
  }

  startTrainer(
    workerAddresses: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<TestService> {
    return TestService.start('trainer', this.folder, {
      TRAINER_CHUNK_CACHE_ADDRESS: this.cache.address,
      TRAINER_WORKER_ADDRESSES: workerAddresses.join(','),
      TRAINER_RUNS_FOLDER: join(this.folder, 'runs'),
      ...TRAINER_ENVIRONMENT,
      ...this.#security.environment,
      ...variables,
    });
  }

  async startRun(trainer: TestService, settings: RunSettings = RUN): Promise<WatchedRun> {
    const run = await WatchedRun.start(trainer.address, settings, this.#security.connect);
    this.#runs.push(run);
    return run;
  }

  /** What a run on one worker gives that nothing happens to. */
  async undisturbed(settings: RunSettings = RUN): Promise<RunResult> {
    const worker = await this.startWorker();
    const trainer = await this.startTrainer([worker.address]);
    const result = await (await this.startRun(trainer, settings)).result();
    expect(result.state).toBe(RunState.FINISHED);
    await Promise.all([trainer.stop(), worker.stop()]);
    return result;
  }
}
