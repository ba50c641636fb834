import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultBench } from '../src/fault-bench.ts';
import { leaseCountsIn } from '../src/lease-counts.ts';
import { SAMPLE_BYTES, type RunResult } from '../src/watched-run.ts';

let bench: FaultBench;
/** What every run here must give, whatever happens to it. */
let undisturbed: RunResult;

beforeAll(async () => {
  bench = await FaultBench.start();
  undisturbed = await bench.undisturbed();
});
afterAll(() => bench.close());

/** Less than half a lease: whatever is under way when so much has passed is not done. */
const PART_OF_LEASE_BYTES = 6 * SAMPLE_BYTES;

describe('workers that die', () => {
  it('1. a worker killed -9 in mid-lease ten times in an epoch: every ordinal once, weights bit-equal', async () => {
    const { service, proxy } = await bench.startProxiedWorker();
    const trainer = await bench.startTrainer([proxy.address]);
    let held = proxy.holdAfter(PART_OF_LEASE_BYTES);
    const run = await bench.startRun(trainer);
    for (let kills = 0; kills < 10; kills++) {
      await held;
      await service.kill();
      await service.restart();
      proxy.retarget(service.address);
      proxy.release();
      if (kills < 9) held = proxy.holdAfter(PART_OF_LEASE_BYTES);
    }
    expect(await run.result()).toEqual(undisturbed);
    const counts = leaseCountsIn((await trainer.stop()).stdout);
    // 400 to train and 12 to validate were written, each to its place; what came twice was dropped.
    expect(counts.samples).toBe(412);
    expect(counts.brokenLeases).toBeGreaterThanOrEqual(10);
    await service.stop();
  });

  it('2. all workers gone, then back: the run waits, says for whom, and finishes as if nothing had been', async () => {
    const workers = [await bench.startProxiedWorker(), await bench.startProxiedWorker()];
    const trainer = await bench.startTrainer(workers.map(({ proxy }) => proxy.address));
    const held = workers.map(({ proxy }) => proxy.holdAfter(PART_OF_LEASE_BYTES));
    const run = await bench.startRun(trainer);
    await Promise.all(held);
    await Promise.all(workers.map(({ service }) => service.kill()));
    for (const { proxy } of workers) proxy.release();
    const addresses = workers.map(({ proxy }) => proxy.address);
    await run.progress(
      ({ waitingFor }) =>
        waitingFor.startsWith('augmentation workers: ') &&
        addresses.every((address) => waitingFor.includes(`${address} (`)),
    );
    for (const { service, proxy } of workers) {
      await service.restart();
      proxy.retarget(service.address);
    }
    expect(await run.result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), ...workers.map(({ service }) => service.stop())]);
  });

  it('3. a worker paused by SIGSTOP: its leases move to the others, and the run ends while it still sleeps', async () => {
    const paused = await bench.startProxiedWorker();
    const other = await bench.startWorker();
    const trainer = await bench.startTrainer([paused.proxy.address, other.address]);
    const held = paused.proxy.holdAfter(PART_OF_LEASE_BYTES);
    const run = await bench.startRun(trainer);
    await held;
    paused.service.signal('SIGSTOP');
    paused.proxy.release();
    expect(await run.result()).toEqual(undisturbed);
    const counts = leaseCountsIn((await trainer.stop()).stdout);
    expect(counts.samples).toBe(412);
    expect(counts.hedgedLeases).toBeGreaterThanOrEqual(1);
    paused.service.signal('SIGCONT');
    expect((await paused.service.stop()).code).toBe(0);
    await other.stop();
  });

  it('4. the cache killed -9 and back: workers go without, the run waits and finishes as if nothing had been', async () => {
    const cacheProxy = await bench.startProxy(bench.cache.address);
    const { service: worker, proxy } = await bench.startProxiedWorker(
      {},
      { AUGMENTATION_CHUNK_CACHE_ADDRESS: cacheProxy.address },
    );
    const trainer = await bench.startTrainer([proxy.address]);
    // Some chunks of the first lease have come, the others not.
    const held = cacheProxy.holdAfter(8 * 16 * 16 * 16 * 2);
    const run = await bench.startRun(trainer);
    await held;
    await bench.cache.kill();
    cacheProxy.release();
    await run.progress(({ waitingFor }) => waitingFor.includes('the chunk cache does not answer'));
    await bench.cache.restart();
    cacheProxy.retarget(bench.cache.address);
    expect(await run.result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), worker.stop()]);
  });
});

describe('the same seed', () => {
  it.each([2, 4])('9. with %i workers gives the weights of one', async (count) => {
    const workers = await Promise.all(Array.from({ length: count }, () => bench.startWorker()));
    const trainer = await bench.startTrainer(workers.map(({ address }) => address));
    expect(await (await bench.startRun(trainer)).result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), ...workers.map((worker) => worker.stop())]);
  });

  it('9. with 3 ms of latency, and one piece in a hundred sent again 200 ms later, gives equal weights', async () => {
    const network = { delayMs: 3, lossEvery: 100, lossDelayMs: 200 };
    const workers = [await bench.startProxiedWorker(network), await bench.startProxiedWorker(network)];
    const trainer = await bench.startTrainer(workers.map(({ proxy }) => proxy.address));
    expect(await (await bench.startRun(trainer)).result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), ...workers.map(({ service }) => service.stop())]);
  });
});
