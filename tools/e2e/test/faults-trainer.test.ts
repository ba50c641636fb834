import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultBench } from '../src/fault-bench.ts';
import { leaseCountsIn } from '../src/lease-counts.ts';
import { pollUntil } from '../src/poll-until.ts';
import { RUN, SAMPLE_BYTES, type RunResult } from '../src/watched-run.ts';

/** Two epochs of five training batches and twelve samples to validate; a checkpoint after batches 2, 4 and 5. */
const SHORT_RUN = { ...RUN, epochs: 2, epochLength: 40, checkpointBatches: 2 };
/** What gRPC adds to some fifty samples: more than that, and less than one sample more. */
const OVERHEAD_BYTES = 8_000;

let bench: FaultBench;
let undisturbed: RunResult;

beforeAll(async () => {
  bench = await FaultBench.start();
  undisturbed = await bench.undisturbed({ ...SHORT_RUN, checkpointBatches: 0 });
});
afterAll(() => bench.close());

describe('5. a trainer that is killed -9 and resumed ends with the weights of an undisturbed run', () => {
  it.each([
    { place: 'before its first step', samples: 0, checkpoint: undefined },
    { place: 'in mid-epoch', samples: 27, checkpoint: { epoch: '0', samples_seen: '16' } },
    { place: 'exactly after the last batch', samples: 40, checkpoint: { epoch: '0', samples_seen: '40' } },
    { place: 'exactly at the end of an epoch', samples: 52, checkpoint: { epoch: '1', samples_seen: '40' } },
    {
      place: 'in the middle of the second epoch',
      samples: 71,
      checkpoint: { epoch: '1', samples_seen: '56' },
    },
  ])('$place', async ({ samples, checkpoint }) => {
    const { service: worker, proxy } = await bench.startProxiedWorker();
    // A lease at a time: samples come in order, so that what has come tells how far the run can be.
    const trainer = await bench.startTrainer([proxy.address], { TRAINER_LEASES_PER_WORKER: '1' });
    void proxy.holdAfter(samples === 0 ? 0 : samples * SAMPLE_BYTES + OVERHEAD_BYTES);
    const run = await bench.startRun(trainer, SHORT_RUN);
    if (checkpoint === undefined) await run.progress(({ doneSamples }) => doneSamples === 0);
    else await pollUntil(async () => matches(await run.checkpoint().catch(() => ({})), checkpoint));
    await trainer.kill();
    expect(await run.checkpoint().catch(() => undefined)).toEqual(
      checkpoint === undefined ? undefined : expect.objectContaining(checkpoint),
    );
    proxy.release();
    await trainer.restart();
    const resumed = await bench.startRun(trainer, { ...SHORT_RUN, resumeRunId: run.runId });
    expect(resumed.runId).toBe(run.runId);
    expect(await resumed.result()).toEqual(undisturbed);
    await Promise.all([trainer.stop(), worker.stop()]);
  });
});

it.skipIf(process.platform !== 'linux')(
  '8. a slow trainer: its memory and that of its worker stay flat, while all samples together are far larger',
  async () => {
    const chunkShape = { depth: 32, height: 48, width: 48 };
    const sampleMb = (32 * 48 * 48 * 4) / 2 ** 20;
    const sampleCount = 400;
    const worker = await bench.startWorker();
    const trainer = await bench.startTrainer([worker.address], { TRAINER_SAMPLE_BUFFER: '16MiB' });
    const run = await bench.startRun(trainer, { ...RUN, chunkShape, epochLength: sampleCount });
    const growthsMb = await Promise.all(
      [trainer.pid, worker.pid].map(async (pid) => {
        let [warmMb, peakMb] = [0, 0];
        await run.progress(({ doneSamples, split }) => {
          const residentMb = residentMbOf(pid);
          if (doneSamples <= sampleCount / 4) warmMb = Math.max(warmMb, residentMb);
          peakMb = Math.max(peakMb, residentMb);
          return split === 'val';
        });
        return peakMb - warmMb;
      }),
    );
    await run.result();
    const { samples } = leaseCountsIn((await trainer.stop()).stdout);
    await worker.stop();
    expect(samples).toBe(sampleCount + 12);
    for (const growthMb of growthsMb) expect(growthMb).toBeLessThan((sampleCount * sampleMb) / 2);
  },
);

function matches(metadata: Record<string, string>, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([name, value]) => metadata[name] === value);
}

/** Resident set of a process in MiB. */
function residentMbOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) / 1024;
}
