import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { FaultBench } from '../src/fault-bench.ts';
import { NetworkNamespace } from '../src/network-namespace.ts';
import { TestService } from '../src/test-service.ts';

const fault = NetworkNamespace.faultHere();
const reason = fault === undefined ? '' : ` (skipped: ${fault})`;

it.skipIf(fault !== undefined)(
  `9. two network namespaces with 3 ms of latency and 1 % loss between them give equal weights${reason}`,
  async () => {
    const bench = await FaultBench.start();
    onTestFinished(() => bench.close());
    const undisturbed = await bench.undisturbed();

    const namespace = await NetworkNamespace.create(['delay', '3ms', 'loss', '1%']);
    onTestFinished(() => namespace.remove());
    // Their connections leave the loopback interface, though not the machine.
    const insecure = { LUNASTREAM_INSECURE: 'true' };
    const cache = await TestService.start(
      'chunk-cache',
      bench.folder,
      {
        CHUNK_CACHE_LISTEN: `${namespace.innerAddress}:0`,
        CHUNK_CACHE_DATASETS: `default=${join(bench.folder, 'data')}`,
        CHUNK_CACHE_STORE_FOLDER: join(bench.folder, 'inner-chunks'),
        ...insecure,
      },
      namespace.command,
    );
    const startInside = () =>
      TestService.start(
        'augmentation',
        bench.folder,
        {
          AUGMENTATION_LISTEN: `${namespace.innerAddress}:0`,
          AUGMENTATION_CHUNK_CACHE_ADDRESS: cache.address,
          AUGMENTATION_THREADS: '1',
          ...insecure,
        },
        namespace.command,
      );
    const workers = [await startInside(), await startInside()];
    const trainer = await bench.startTrainer(
      workers.map(({ address }) => address),
      { TRAINER_CHUNK_CACHE_ADDRESS: cache.address, ...insecure },
    );
    expect(await (await bench.startRun(trainer)).result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), ...workers.map((worker) => worker.stop())]);
    await cache.stop();
  },
);
