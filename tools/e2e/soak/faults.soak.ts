import { setTimeout as delay } from 'node:timers/promises';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { FaultBench, type ProxiedWorker } from '../src/fault-bench.ts';
import type { TcpProxy } from '../src/tcp-proxy.ts';
import type { TestService } from '../src/test-service.ts';
import { RUN, type WatchedRun } from '../src/watched-run.ts';

/** Long epochs, so that whole ones can be repeated at the end in the time that they took. */
const SOAK_RUN = { ...RUN, epochLength: 4_000, checkpointBatches: 25 };
const ENDLESS_EPOCHS = 1_000_000;
/** What the fault tests only hint at, at its full length. */
const GONE_MS = 20_000;
const PAUSED_MS = 30_000;

let bench: FaultBench;

beforeAll(async () => {
  bench = await FaultBench.start();
});
afterAll(() => bench.close());

/** What is running, and what can be done to it. */
interface Plant {
  readonly workers: readonly ProxiedWorker[];
  readonly cacheProxy: TcpProxy;
  readonly trainer: TestService;
  run: WatchedRun;
}

/** Waits until the run has done more than it had: it has survived. Rejects when it ends instead. */
async function goesOn({ run }: Plant): Promise<void> {
  const enough = run.progressCount + 5;
  let count = 0;
  await run.progress(({ waitingFor }) => ++count > enough && waitingFor === '');
}

async function restartWorker({ service, proxy }: ProxiedWorker): Promise<void> {
  await service.restart();
  proxy.retarget(service.address);
}

const FAULTS: Readonly<Record<string, (plant: Plant) => Promise<void>>> = {
  'a worker is killed': async ({ workers: [first] }) => {
    await first!.service.kill();
    await restartWorker(first!);
  },
  'a worker sleeps for 30 s': async ({ workers: [, second] }) => {
    second!.service.signal('SIGSTOP');
    await delay(PAUSED_MS);
    second!.service.signal('SIGCONT');
  },
  'all workers are gone for 20 s': async ({ workers }) => {
    await Promise.all(workers.map(({ service }) => service.kill()));
    await delay(GONE_MS);
    await Promise.all(workers.map(restartWorker));
  },
  'the cache is killed': async ({ cacheProxy }) => {
    await bench.cache.kill();
    await bench.cache.restart();
    cacheProxy.retarget(bench.cache.address);
  },
  'the trainer is killed and its run resumed': async (plant) => {
    await plant.trainer.kill();
    await plant.trainer.restart();
    const settings = { ...SOAK_RUN, epochs: ENDLESS_EPOCHS, resumeRunId: plant.run.runId };
    plant.run = await bench.startRun(plant.trainer, settings);
  },
  'a worker is told to stop': async ({ workers: [first] }) => {
    await first!.service.stop();
    await restartWorker(first!);
  },
};

it('a run that everything happens to, again and again, ends with the weights of one that nothing happened to', async () => {
  const cacheProxy = await bench.startProxy(bench.cache.address);
  const variables = {
    AUGMENTATION_CHUNK_CACHE_ADDRESS: cacheProxy.address,
    // Nothing is kept: the cache is needed all the time.
    AUGMENTATION_CHUNK_CACHE: '0',
  };
  const workers = [
    await bench.startProxiedWorker({}, variables),
    await bench.startProxiedWorker({}, variables),
  ];
  const trainer = await bench.startTrainer(
    workers.map(({ proxy }) => proxy.address),
    // It asks the cache whenever it starts again, and the cache comes back at another port.
    { TRAINER_CHUNK_CACHE_ADDRESS: cacheProxy.address },
  );
  const run = await bench.startRun(trainer, { ...SOAK_RUN, epochs: ENDLESS_EPOCHS });
  const plant: Plant = { workers, cacheProxy, trainer, run };

  const endMs = performance.now() + inject('soakMinutes') * 60_000;
  const happened: Record<string, number> = {};
  while (performance.now() < endMs) {
    for (const [name, happen] of Object.entries(FAULTS)) {
      if (performance.now() >= endMs && Object.keys(happened).length > 0) break;
      await goesOn(plant);
      await happen(plant);
      happened[name] = (happened[name] ?? 0) + 1;
    }
  }
  await goesOn(plant);
  await plant.run.stop();
  const { epochs } = await plant.run.result();
  // A line per split of an epoch. The run is finished with the epoch that it was in, and compared with one of as many.
  const epochCount = epochs.split('\n').filter((line) => line !== '').length / 2 + 1;
  const finishing = { ...SOAK_RUN, epochs: epochCount, resumeRunId: plant.run.runId };
  const result = await (await bench.startRun(trainer, finishing)).result();
  await Promise.all([trainer.stop(), ...workers.map(({ service }) => service.stop())]);
  process.stdout.write(`soak: ${epochCount} epochs, ${JSON.stringify(happened)}\n`);
  expect(result).toEqual(await bench.undisturbed({ ...SOAK_RUN, epochs: epochCount }));
});

declare module 'vitest' {
  interface ProvidedContext {
    /** How long faults happen, in minutes. */
    soakMinutes: number;
  }
}
