import { VoxelInspector } from '@lunastream/augmentation';
import {
  AugmentationServiceService,
  RunState,
  type Sample,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import { streamHandler } from '@lunastream/service-kit';
import { startInProcessServer } from '@lunastream/service-kit/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFakeDns } from '../src/fake-dns.ts';
import { FaultBench, type ProxiedWorker } from '../src/fault-bench.ts';
import { leaseCountsIn } from '../src/lease-counts.ts';
import { RUN, SAMPLE_BYTES, type RunResult, type WatchedRun } from '../src/watched-run.ts';

let bench: FaultBench;
let undisturbed: RunResult;

beforeAll(async () => {
  bench = await FaultBench.start();
  undisturbed = await bench.undisturbed();
});
afterAll(() => bench.close());

describe('6. workers that come and go in mid-epoch', () => {
  it.skipIf(process.platform !== 'linux')(
    'join by name while a run trains, and leave it without one broken lease',
    async () => {
      const dns = await startFakeDns(bench.folder, 'workers.test');
      const first = await bench.startWorker();
      const port = Number(first.address.split(':')[1]);
      // Every address 127.x.y.z is this machine; a name stands for addresses at one port.
      const second = await bench.startWorker({ AUGMENTATION_LISTEN: `127.0.0.2:${port}` });
      await dns.setAddresses(['127.0.0.1']);
      const trainer = await bench.startTrainer([`dns:///workers.test:${port}`], dns.environment);
      const run = await bench.startRun(trainer, { ...RUN, epochs: 1_000_000 });
      await run.progress(({ doneSamples }) => doneSamples > 0);

      await dns.setAddresses(['127.0.0.1', '127.0.0.2']);
      await trainer.output(new RegExp(`"workers":\\["127.0.0.1:${port}","127.0.0.2:${port}"\\]`));
      await dns.setAddresses(['127.0.0.2']);
      await trainer.output(new RegExp(`"workers":\\["127.0.0.2:${port}"\\]`));
      expect((await first.stop()).code).toBe(0);
      // Only the second is left: whole epochs that follow are its work.
      const epochBefore = run.latestEpoch;
      await run.progress(({ epoch }) => epoch > epochBefore + 1);
      await run.stop();

      const { state, epochs } = await run.result();
      expect(state).toBe(RunState.STOPPED);
      const { stdout } = await trainer.stop();
      expect(leaseCountsIn(stdout)).toMatchObject({ brokenLeases: 0, wrongSamples: 0 });
      await second.stop();
      const epochCount = epochs.trimEnd().split('\n').length / 2;
      expect(epochs).toBe((await bench.undisturbed({ ...RUN, epochs: epochCount })).epochs);
    },
  );

  describe('bring samples of the epoch that is under way', () => {
    // So long that it lasts until the run is told to stop.
    const LONG_EPOCH = { ...RUN, epochLength: 1_000_000 };

    async function expectSamples({ proxy }: ProxiedWorker, run: WatchedRun): Promise<void> {
      await proxy.holdAfter(10 * SAMPLE_BYTES);
      proxy.release();
      expect(run.latestEpoch).toBe(1);
    }

    it.skipIf(process.platform !== 'linux')('when their address appears behind a name', async () => {
      const dns = await startFakeDns(bench.folder, 'workers.test');
      const first = await bench.startWorker();
      const port = Number(first.address.split(':')[1]);
      await dns.setAddresses(['127.0.0.1']);
      const trainer = await bench.startTrainer([`dns:///workers.test:${port}`], dns.environment);
      const run = await bench.startRun(trainer, LONG_EPOCH);
      await run.progress(({ doneSamples }) => doneSamples > 0);

      const service = await bench.startWorker();
      const proxy = await bench.startProxy(service.address, { listen: `127.0.0.2:${port}` });
      await dns.setAddresses(['127.0.0.1', '127.0.0.2']);
      await expectSamples({ service, proxy }, run);
      await run.stop();
      await Promise.all([trainer.stop(), first.stop(), service.stop()]);
    });

    it('when they are listed and start only now', async () => {
      const first = await bench.startWorker();
      const late = await bench.startProxiedWorker();
      await late.service.kill();
      const trainer = await bench.startTrainer([first.address, late.proxy.address]);
      const run = await bench.startRun(trainer, LONG_EPOCH);
      await run.progress(({ doneSamples }) => doneSamples > 0);

      await late.service.restart();
      late.proxy.retarget(late.service.address);
      await expectSamples(late, run);
      await run.stop();
      await Promise.all([trainer.stop(), first.stop(), late.service.stop()]);
    });
  });

  it('leave on SIGTERM in mid-lease: what they have begun they end, and no sample fails', async () => {
    const leaving = await bench.startProxiedWorker();
    const staying = await bench.startWorker();
    const trainer = await bench.startTrainer([leaving.proxy.address, staying.address]);
    const held = leaving.proxy.holdAfter(6 * SAMPLE_BYTES);
    const run = await bench.startRun(trainer);
    await held;
    leaving.service.signal('SIGTERM');
    await leaving.service.output(/"state":"DRAINING"/);
    leaving.proxy.release();
    expect((await leaving.service.finished).code).toBe(0);
    expect(await run.result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), staying.stop()]);
  });
});

describe('7. a worker that answers wrong is quarantined and named; the run ends as if it had never been', () => {
  const shape = { depth: 16, height: 16, width: 16 };
  const checksumOf = (voxels: Buffer) => new VoxelInspector().inspect(voxels, 'float32').checksum;
  const zeros = Buffer.alloc(SAMPLE_BYTES);
  const ofNan = Buffer.from(new Float32Array(16 ** 3).fill(NaN).buffer);

  it.each<[string, Partial<Sample>, string]>([
    ['wrong shapes', { shape: { ...shape, depth: 8 } }, 'its shape must be 16x16x16, got 8x16x16'],
    ['a wrong checksum', { voxelsChecksum: 0xbad }, 'its checksum must be 00000bad, got '],
    ['NaN', { voxelsHu: ofNan, voxelsChecksum: checksumOf(ofNan) }, 'its voxels are not all finite'],
  ])('for %s', async (_, wrong, fault) => {
    const sample: Sample = {
      shape,
      voxelsHu: zeros,
      borderFraction: 0,
      voxelsChecksum: checksumOf(zeros),
      voxelType: RUN.voxelType,
      ...wrong,
    };
    const liar = await startLyingWorker(sample);
    const honest = await bench.startWorker();
    const trainer = await bench.startTrainer([liar, honest.address]);
    const run = await bench.startRun(trainer);
    expect(await run.result()).toEqual(undisturbed);
    const sentences = run.lines.filter((line) => line.includes('quarantined'));
    expect(sentences.length).toBe(1);
    expect(sentences[0]).toContain(`Worker ${liar} is quarantined, its samples are leased again: sample `);
    expect(sentences[0]).toContain(fault);
    const { stdout } = await trainer.stop();
    expect(leaseCountsIn(stdout)).toMatchObject({ samples: 412 });
    await honest.stop();
  });
});

/** A worker that answers every ordinal with the same sample; returns its address. */
async function startLyingWorker(sample: Sample): Promise<string> {
  async function* answer({ samples }: StreamSamplesRequest): AsyncGenerator<StreamSamplesResponse> {
    for (const { ordinal } of samples) {
      yield await Promise.resolve({ ordinal, result: { $case: 'sample' as const, value: sample } });
    }
  }
  const server = await startInProcessServer((context) => [
    {
      definition: AugmentationServiceService,
      implementation: { streamSamples: streamHandler(context, answer) },
    },
  ]);
  onTestFinished(() => server.stop());
  return server.address;
}
